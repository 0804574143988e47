package h1

import (
	"io"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
)

// resend sends a message as it came: header, and the content that r gives with the
// framing of b. If r gives what comes of b as it is, the rest is relayed.
func resend(w io.Writer, header []byte, r io.Reader, b *body) error {
	more, err := replay(w, header, r, b)
	if err != nil || !more {
		return err
	}
	return b.relay(w, 0)
}

// replay is resend up to the point from which b can be relayed; more tells that
// there is one.
func replay(w io.Writer, header []byte, r io.Reader, b *body) (more bool, _ error) {
	if r == nil {
		_, err := w.Write(header)
		return false, err
	}
	buf, part := buffered.GetLarge(), buffered.GetLarge()
	defer buffered.Release(buf)
	defer buffered.Release(part)
	s := resender{w: w, r: r, b: b, buf: buf, out: append(buf[:0], header...), frame: reframer{b: b}}
	if !b.ready() && !adapt.Ready(r) {
		if err := s.flush(); err != nil {
			return false, err
		}
	}
	for {
		if rest(r) == b {
			if s.out, more = s.frame.border(s.out); more {
				return true, s.flush()
			}
		}
		switch err := s.pass(part[:buffered.Large/2]); {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

// resender is the state of replay.
type resender struct {
	w     io.Writer
	r     io.Reader
	b     *body
	frame reframer
	buf   []byte // memory of out
	out   []byte // to be written
}

// pass takes one piece of content by way of part. It writes what it has if that is
// much, or if the next piece may be long in coming. It returns the error of the
// content, io.EOF at its end.
func (s *resender) pass(part []byte) error {
	n, err := s.r.Read(part)
	if to, read := s.frame.pos+int64(n), s.b.read(); to > read || err == io.EOF && (to != read || !s.b.finished()) {
		return adapt.ErrLength // not what came
	}
	s.out = s.frame.append(s.out, part[:n])
	if err == io.EOF {
		s.out = s.frame.finish(s.out)
	}
	if err != nil || len(s.out) > buffered.Large/2 || !s.b.ready() {
		if werr := s.flush(); werr != nil {
			return werr
		}
	}
	return err
}

// flush writes what there is.
func (s *resender) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.w.Write(s.out)
	s.out = s.buf[:0]
	return err
}
