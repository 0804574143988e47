package h1

import (
	"bytes"
	"io"
	"strconv"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// writer sends a message that a service made.
type writer struct {
	head   []byte
	body   io.Reader // nil: none
	length int64     // -1: chunked or until the end
	chunks bool
	last   bool // the body ends with the connection
}

// newWriter prepares a message for a receiver of HTTP/1.minor. bodiless tells that
// it has no body whatever its header says (RFC 9112, Section 6.3). The error is
// [adapt.ErrUnsound].
func newWriter(raw []byte, kind adapt.Kind, body io.Reader, bodiless bool, minor int) (*writer, error) {
	h, ok := adapt.ParseHead(raw, kind)
	if !ok {
		return nil, adapt.ErrUnsound
	}
	w := &writer{head: raw, body: body, length: h.Length}
	switch {
	case bodiless:
		w.body, w.length = nil, 0
	case body == nil:
		w.length = 0
		w.head = adapt.WithoutFraming(raw)
		if kind == adapt.Response || h.Length >= 0 || h.Is("POST") || h.Is("PUT") || h.Is("PATCH") {
			w.add("Content-Length: 0\r\n")
		}
	case h.Length >= 0:
		if !soleLength(raw) {
			w.head = adapt.WithoutFraming(raw)
			w.add("Content-Length: " + strconv.FormatInt(h.Length, 10) + "\r\n")
		}
	case minor == 1:
		w.chunks = true
		w.head = adapt.WithoutFraming(raw)
		if kind == adapt.Response && bytes.HasPrefix(w.head, []byte("HTTP/1.0 ")) {
			w.head[len("HTTP/1.")] = '1' // which chunks take (RFC 9112, Section 6.1)
		}
		w.add("Transfer-Encoding: chunked\r\n")
	case kind == adapt.Response:
		w.last = true
		w.head = adapt.WithoutFraming(raw)
	default:
		return nil, adapt.ErrUnsound // HTTP/1.0 has no way to say how long a request is
	}
	return w, nil
}

// soleLength reports whether a header block has one length and no transfer coding.
func soleLength(raw []byte) bool {
	lengths := 0
	for f := range http1.Fields(http1.Section(raw)) {
		switch {
		case http1.Is(f.Name, "transfer-encoding"):
			return false
		case http1.Is(f.Name, "content-length"):
			lengths++
		}
	}
	return lengths == 1
}

// add puts a line at the end of the header block.
func (w *writer) add(line string) {
	w.head = append(append(w.head[:len(w.head)-2], line...), "\r\n"...)
}

// send writes the message. What is at hand of it goes in one write, up to the size
// of a buffer.
func (w *writer) send(to io.Writer) error {
	if w.body == nil || !adapt.Ready(w.body) {
		if _, err := to.Write(w.head); err != nil || w.body == nil {
			return err
		}
		w.head = nil
	}
	buf := buffered.GetLarge()
	defer buffered.Release(buf)
	lead := 0
	if len(w.head) <= buffered.Large/2 {
		lead = copy(buf, w.head)
	} else if _, err := to.Write(w.head); err != nil {
		return err
	}
	return w.sendBody(to, buf, lead)
}

// sendBody writes the body by way of buf, and before it lead octets that stand there.
func (w *writer) sendBody(to io.Writer, buf []byte, lead int) error {
	for left := w.length; ; lead = 0 {
		out, n, err := w.next(buf, lead)
		if left -= int64(n); w.length >= 0 && (left < 0 || err == io.EOF && left > 0) {
			return adapt.ErrLength
		}
		if len(out) > 0 {
			if _, err := to.Write(out); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// next reads n octets of the body to buf, behind lead octets that stand there, and
// returns these and the body with its framing.
func (w *writer) next(buf []byte, lead int) (out []byte, n int, err error) {
	at := lead
	if w.chunks {
		at += beforeChunk
	}
	n, err = w.body.Read(buf[at : buffered.Large-behindChunk])
	switch {
	case n > 0 && w.chunks:
		out = chunk(buf, lead, n)
	default:
		out = buf[:lead+n]
	}
	if err == io.EOF && w.chunks {
		out = append(out, "0\r\n\r\n"...)
	}
	return out, n, err
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
