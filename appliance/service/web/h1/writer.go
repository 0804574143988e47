package h1

import (
	"bytes"
	"io"
	"strconv"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
)

// outgoing is a message that a service made, ready to be sent by HTTP/1.1.
type outgoing struct {
	head   []byte
	body   io.Reader // nil: none
	length int64     // -1: chunked or until the end
	chunks bool
	last   bool // the body ends with the connection
}

// frame prepares a message for a receiver of HTTP/1.minor. bodiless tells that it
// has no body whatever its header says (RFC 9112, Section 6.3).
func frame(raw []byte, kind adapt.Kind, body io.Reader, bodiless bool, minor int) (*outgoing, error) {
	h, word := adapt.ParseLoosely(raw, kind)
	if word != "" {
		return nil, adapt.ErrUnsound
	}
	o := &outgoing{head: raw, body: body, length: h.Length}
	switch {
	case bodiless:
		o.body, o.length = nil, 0
	case body == nil:
		o.length = 0
		o.head = adapt.WithoutFraming(raw)
		if kind == adapt.Response || h.Length >= 0 || h.Is("POST") || h.Is("PUT") || h.Is("PATCH") {
			o.add("Content-Length: 0\r\n")
		}
	case h.Length >= 0:
		if adapt.Find(raw, "transfer-encoding") != nil || adapt.Count(raw, "content-length") > 1 {
			o.head = adapt.WithoutFraming(raw)
			o.add("Content-Length: " + strconv.FormatInt(h.Length, 10) + "\r\n")
		}
	case minor == 1:
		o.chunks = true
		o.head = adapt.WithoutFraming(raw)
		if kind == adapt.Response && bytes.HasPrefix(o.head, []byte("HTTP/1.0 ")) {
			o.head[len("HTTP/1.")] = '1' // which chunks take (RFC 9112, Section 6.1)
		}
		o.add("Transfer-Encoding: chunked\r\n")
	case kind == adapt.Response:
		o.last = true
		o.head = adapt.WithoutFraming(raw)
	default:
		return nil, adapt.ErrUnsound // HTTP/1.0 has no way to say how long a request is
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
	if o.body == nil || !adapt.Ready(o.body) {
		if _, err := w.Write(o.head); err != nil || o.body == nil {
			return err
		}
		o.head = nil
	}
	buf := buffered.GetLarge()
	defer buffered.Release(buf)
	out := buf[:0]
	if len(o.head) <= buffered.Large/2 {
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
		n, err := o.body.Read(buf[at : buffered.Large-behindChunk])
		switch {
		case n > 0 && o.chunks:
			out = chunk(buf[:], len(out), n)
		case n > 0:
			out = buf[:at+n]
		}
		if left -= int64(n); o.length >= 0 && (left < 0 || err == io.EOF && left > 0) {
			return adapt.ErrLength
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
	buf := buffered.GetLarge()
	defer buffered.Release(buf)
	out := append(buf[:0], header...)
	if r == nil || !b.ready() && !adapt.Ready(r) {
		if _, err := w.Write(out); err != nil || r == nil {
			return false, err
		}
		out = out[:0]
	}
	part := buffered.GetLarge()
	defer buffered.Release(part)
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
		n, err := r.Read(part[:buffered.Large/2])
		if read := b.read(); f.pos+int64(n) > read || err == io.EOF && (f.pos+int64(n) != read || !b.finished()) {
			return false, adapt.ErrLength // not what came
		}
		out = f.append(out, part[:n])
		if err == io.EOF {
			out = f.finish(out)
		}
		if len(out) > 0 && (err != nil || len(out) > buffered.Large/2 || !b.ready()) {
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
