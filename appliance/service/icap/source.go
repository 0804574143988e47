package icap

import "io"

// source is the body of a message. One goroutine at a time uses it. While keep
// is set what was read is kept, up to limit, so that it can be read again.
type source struct {
	r      io.Reader
	length int64 // -1: unknown
	got    int64 // from r
	err    error // of r, sticky; io.EOF: all was read

	limit int
	keep  bool
	lost  bool   // what was read is no longer at hand
	kept  []byte // the first octets of the body
	pos   int    // in kept: what is read next

	flight *flight // a read under way, or whose octets were not all taken; nil: none
}

func newSource(m *Message, limit int) *source {
	s := &source{r: m.Body, length: m.Length, limit: limit, keep: true}
	if m.Body == nil || m.Length == 0 {
		s.r, s.length, s.err = nil, 0, io.EOF
	}
	return s
}

// empty reports whether it is known that there is no body.
func (s *source) empty() bool { return s.r == nil }

// replayable reports whether the whole body is known to fit what is kept.
func (s *source) replayable() bool {
	return !s.lost && s.length >= 0 && s.length <= int64(s.limit)
}

// bodyError is an error of Message.Body.
type bodyError struct{ error }

// Read implements io.Reader. An error other than io.EOF is a bodyError.
func (s *source) Read(p []byte) (int, error) {
	if s.pos < len(s.kept) {
		n := copy(p, s.kept[s.pos:])
		s.pos += n
		return n, nil
	}
	if !s.keep {
		s.kept, s.pos = nil, 0
	}
	if s.err != nil {
		return 0, s.err
	}
	if s.length >= 0 {
		if s.got == s.length {
			s.err = io.EOF
			return 0, s.err
		}
		p = p[:min(int64(len(p)), s.length-s.got)]
	}
	n, err := s.fetch(p)
	s.got += int64(n)
	s.remember(p[:n])
	switch {
	case err == io.EOF && s.length >= 0 && s.got < s.length:
		s.err = bodyError{io.ErrUnexpectedEOF}
	case err == io.EOF:
		s.err = err
	case err != nil:
		s.err = bodyError{err}
	}
	if n > 0 {
		return n, nil
	}
	return 0, s.err
}

func (s *source) remember(p []byte) {
	switch {
	case !s.keep:
		s.lost = s.lost || len(p) > 0
	case len(s.kept)+len(p) > s.limit:
		s.kept, s.pos, s.keep, s.lost = nil, 0, false, true
	default:
		s.kept = append(s.kept, p...)
		s.pos = len(s.kept)
	}
}

// ended reports whether no octet is left to read.
func (s *source) ended() bool {
	return s.pos >= len(s.kept) && (s.err != nil || s.length >= 0 && s.got == s.length)
}

// rewind has the body read again from its first octet. It reports whether that is
// possible.
func (s *source) rewind() bool {
	s.pos = 0
	return !s.lost
}

// release ends the keeping of what is read from now on. What is kept is still
// read before.
func (s *source) release() { s.keep = false }

// skip passes over n octets.
func (s *source) skip(n int64) error {
	if d := min(n, int64(len(s.kept)-s.pos)); d > 0 {
		s.pos += int(d)
		n -= d
	}
	m, err := io.CopyN(io.Discard, s, n)
	if err == io.EOF && m < n {
		return io.ErrUnexpectedEOF
	}
	return err
}
