package agefile

// Stream seals octets in order. It is not safe for concurrent use.
type Stream struct {
	key     *Key
	number  uint64 // of the chunk that is pending
	pending []byte // at most a chunk: a full one may be the last
}

// NewStream returns the stream of a file whose first chunk has not been sealed.
func NewStream(k *Key) *Stream { return &Stream{key: k} }

// Offset returns the place in the file of the next octets that [Stream.Append] returns.
func (s *Stream) Offset() int64 { return int64(len(s.key.header)) + int64(s.number)*sealed }

// Chunks returns how many chunks were sealed.
func (s *Stream) Chunks() uint64 { return s.number }

// Pending returns the octets that no sealed chunk has. They are valid until the next call.
func (s *Stream) Pending() []byte { return s.pending }

// Take returns the octets that no sealed chunk has, which are to be appended again first.
func (s *Stream) Take() []byte {
	p := s.pending
	s.pending = nil
	return p
}

// Append takes octets, which it borrows, and appends the chunks to dst that cannot be the
// last one.
func (s *Stream) Append(dst, p []byte) []byte {
	for len(p) > 0 {
		if len(s.pending) == Chunk {
			dst = s.Full(dst)
		}
		if len(s.pending) == 0 && len(p) > Chunk { // no copy
			dst = s.key.Seal(dst, p[:Chunk], s.number, false)
			s.number++
			p = p[Chunk:]
			continue
		}
		n := min(len(p), Chunk-len(s.pending))
		s.pending = append(s.pending, p[:n]...)
		p = p[n:]
	}
	return dst
}

// Full appends the chunk that is pending to dst, if it is full. It is not the last one then.
func (s *Stream) Full(dst []byte) []byte {
	if len(s.pending) != Chunk {
		return dst
	}
	dst = s.key.Seal(dst, s.pending, s.number, false)
	s.number++
	s.pending = s.pending[:0]
	return dst
}

// End appends the last chunk to dst. No other call may follow.
func (s *Stream) End(dst []byte) []byte { return s.key.Seal(dst, s.pending, s.number, true) }
