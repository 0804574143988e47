package web

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

// whole reports whether raw is one header block: lines that end with CRLF, the
// last one empty.
func whole(raw []byte) bool {
	return len(raw) > 4 && bytes.Index(raw, []byte("\r\n\r\n")) == len(raw)-4 && bytes.Count(raw, []byte("\n")) == bytes.Count(raw, []byte("\r\n"))
}

// parseLoosely reads a block that a service made: how the body is framed there
// is of no account, for it is framed anew.
func parseLoosely(raw []byte, kind Kind) (h head, word string) {
	plain := withoutFraming(raw)
	if kind == Request {
		h, word = parseRequest(plain)
	} else {
		h, word = parseResponse(plain)
	}
	h.raw = raw
	if n, ok := parseLength(find(raw, "content-length")); ok {
		h.length = n
	}
	return h, word
}

// find returns the value of the first field with the lower-case name, nil
// without.
func find(raw []byte, name string) []byte {
	for line := range fieldLines(raw) {
		if c := bytes.IndexByte(line, ':'); c == len(name) && equal(line[:c], name) {
			return trim(line[c+1:])
		}
	}
	return nil
}

// fieldLines yields the field lines of a header block without their CRLF.
func fieldLines(raw []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		i := bytes.IndexByte(raw, '\n')
		for p := raw[i+1:]; len(p) > 2; {
			i := bytes.IndexByte(p, '\n')
			if i < 1 || !yield(p[:i-1]) {
				return
			}
			p = p[i+1:]
		}
	}
}

// count returns how many fields have the lower-case name.
func count(raw []byte, name string) (n int) {
	for line := range fieldLines(raw) {
		if c := bytes.IndexByte(line, ':'); c == len(name) && equal(line[:c], name) {
			n++
		}
	}
	return n
}

// withoutFraming returns a copy of a block without transfer coding and length,
// with room for another.
func withoutFraming(raw []byte) []byte {
	i := bytes.IndexByte(raw, '\n')
	dst := make([]byte, 0, len(raw)+48)
	dst = append(dst, raw[:i+1]...)
	for line := range fieldLines(raw) {
		if c := bytes.IndexByte(line, ':'); c > 0 && (equal(line[:c], "transfer-encoding") || equal(line[:c], "content-length")) {
			continue
		}
		dst = append(append(dst, line...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// outgoing is a message that a service made, ready to be sent by HTTP/1.1.
type outgoing struct {
	head   []byte
	body   io.Reader // nil: none
	length int64     // -1: chunked or until the end
	chunks bool
	last   bool // the body ends with the connection
}

// errFraming tells that a body does not have the length that its header says.
var errFraming = errors.New("the service's body is not as long as its header says")

// frame prepares a message for a receiver of HTTP/1.minor. bodiless tells that it
// has no body whatever its header says (RFC 9112, Section 6.3).
func frame(raw []byte, kind Kind, body io.Reader, bodiless bool, minor int) (*outgoing, error) {
	h, word := parseLoosely(raw, kind)
	if word != "" {
		return nil, errUnsound
	}
	o := &outgoing{head: raw, body: body, length: h.length}
	switch {
	case bodiless:
		o.body, o.length = nil, 0
	case body == nil:
		o.length = 0
		o.head = withoutFraming(raw)
		if kind == Response || h.length >= 0 || h.is("POST") || h.is("PUT") || h.is("PATCH") {
			o.add("Content-Length: 0\r\n")
		}
	case h.length >= 0:
		if find(raw, "transfer-encoding") != nil || count(raw, "content-length") > 1 {
			o.head = withoutFraming(raw)
			o.add("Content-Length: " + strconv.FormatInt(h.length, 10) + "\r\n")
		}
	case minor == 1:
		o.chunks = true
		o.head = withoutFraming(raw)
		if kind == Response && bytes.HasPrefix(o.head, []byte("HTTP/1.0 ")) {
			o.head[len("HTTP/1.")] = '1' // which chunks take (RFC 9112, Section 6.1)
		}
		o.add("Transfer-Encoding: chunked\r\n")
	case kind == Response:
		o.last = true
		o.head = withoutFraming(raw)
	default:
		return nil, errUnsound // HTTP/1.0 has no way to say how long a request is
	}
	return o, nil
}

// add puts a line at the end of the header block.
func (o *outgoing) add(line string) {
	o.head = append(append(o.head[:len(o.head)-2], line...), "\r\n"...)
}

// send writes the message to w. What is at hand of it goes in one write, up to the
// size of a buffer.
func (o *outgoing) send(w io.Writer) error {
	if o.body == nil || !ready(o.body) {
		if _, err := w.Write(o.head); err != nil || o.body == nil {
			return err
		}
		o.head = nil
	}
	buf := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(buf)
	out := buf[:0]
	if len(o.head) <= largeBuffer/2 {
		out = append(out, o.head...)
	} else if _, err := w.Write(o.head); err != nil {
		return err
	}
	left := o.length
	for {
		at := len(out)
		if o.chunks {
			at += beforeChunk
		}
		n, err := o.body.Read(buf[at : largeBuffer-behindChunk])
		switch {
		case n > 0 && o.chunks:
			out = chunk(buf[:], len(out), n)
		case n > 0:
			out = buf[:at+n]
		}
		if left -= int64(n); o.length >= 0 && (left < 0 || err == io.EOF && left > 0) {
			return errFraming
		}
		if err == io.EOF && o.chunks {
			out = append(out, "0\r\n\r\n"...)
		}
		if len(out) > 0 {
			if _, err := w.Write(out); err != nil {
				return err
			}
			out = buf[:0]
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// Room for what stands before the content of a chunk in a buffer, and for what may
// stand behind it, up to the end of the body.
const (
	beforeChunk = len("ffff\r\n")
	behindChunk = len("\r\n0\r\n\r\n")
)

// chunk makes a chunk of the n octets of content that stand in buf beforeChunk
// behind the first lead octets, and returns it with these, which it moves, before
// it.
func chunk(buf []byte, lead, n int) []byte {
	var digits [beforeChunk]byte
	size := append(strconv.AppendUint(digits[:0], uint64(n), 16), "\r\n"...)
	from := beforeChunk - len(size)
	copy(buf[from:], buf[:lead])
	copy(buf[from+lead:], size)
	return append(buf[from:lead+beforeChunk+n], "\r\n"...)
}

// again sends a message as it came: header, and the content that r gives with
// the framing of b. Where r gives what comes of b as it is, the rest is relayed.
func again(w io.Writer, header []byte, r io.Reader, b *body) error {
	more, err := replay(w, header, r, b)
	if err != nil || !more {
		return err
	}
	return b.relay(w, 0)
}

// replay is again up to the point from which b can be relayed; more tells that
// there is one.
func replay(w io.Writer, header []byte, r io.Reader, b *body) (more bool, _ error) {
	buf := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(buf)
	out := append(buf[:0], header...)
	if r == nil || !b.ready() && !ready(r) {
		if _, err := w.Write(out); err != nil || r == nil {
			return false, err
		}
		out = out[:0]
	}
	part := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(part)
	f := reframer{b: b}
	for {
		if rest(r) == b {
			if out, more = f.border(out); more {
				if len(out) == 0 {
					return true, nil
				}
				_, err := w.Write(out)
				return true, err
			}
		}
		n, err := r.Read(part[:largeBuffer/2])
		if read := b.read(); f.pos+int64(n) > read || err == io.EOF && (f.pos+int64(n) != read || !b.finished()) {
			return false, errFraming // not what came
		}
		out = f.append(out, part[:n])
		if err == io.EOF {
			out = f.finish(out)
		}
		if len(out) > 0 && (err != nil || len(out) > largeBuffer/2 || !b.ready()) {
			if _, werr := w.Write(out); werr != nil {
				return false, werr
			}
			out = buf[:0]
		}
		switch {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		}
	}
}
