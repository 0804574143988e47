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

// send writes the message to w.
func (o *outgoing) send(w io.Writer) error {
	buf := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(buf)
	if o.body == nil {
		_, err := w.Write(o.head)
		return err
	}
	if _, err := w.Write(o.head); err != nil {
		return err
	}
	const room = 16 // for the size of a chunk
	left := o.length
	for {
		n, err := o.body.Read(buf[room : largeBuffer-2])
		if n > 0 {
			if o.length >= 0 {
				if left -= int64(n); left < 0 {
					return errFraming
				}
			}
			p := buf[room : room+n]
			if o.chunks {
				size := append(strconv.AppendUint(nil, uint64(n), 16), "\r\n"...)
				start := room - len(size)
				copy(buf[start:], size)
				p = append(buf[start:room+n], "\r\n"...)
			}
			if _, err := w.Write(p); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && left > 0:
			return errFraming
		case err == io.EOF && o.chunks:
			_, err := w.Write([]byte("0\r\n\r\n"))
			return err
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// again sends a message as it came: header, and the content that r gives with
// the framing of b.
func again(w io.Writer, header []byte, r io.Reader, b *body) error {
	buf := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(buf)
	part := largeBuffers.Get().(*[largeBuffer]byte)
	defer largeBuffers.Put(part)
	out := append(buf[:0], header...)
	if r == nil || !b.ready() {
		if _, err := w.Write(out); err != nil || r == nil {
			return err
		}
		out = out[:0]
	}
	f := reframer{b: b}
	total := int64(0)
	for {
		n, err := r.Read(part[:largeBuffer/2])
		if total += int64(n); total > b.read() || err == io.EOF && (total != b.read() || !b.finished()) {
			return errFraming // not what came
		}
		switch {
		case b.how == byChunks:
			out = f.append(out, part[:n])
		default:
			out = append(out, part[:n]...)
		}
		if err == io.EOF && b.how == byChunks {
			out = f.finish(out)
		}
		if len(out) > 0 && (err != nil || len(out) > largeBuffer/2 || !b.ready()) {
			if _, werr := w.Write(out); werr != nil {
				return werr
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
