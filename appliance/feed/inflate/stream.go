package inflate

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/deflate"
)

// stream inflates one direction.
type stream struct{ *deflate.Inflater }

func newStream() *stream { return &stream{deflate.New(false)} }

// write inflates p, which it borrows.
func (s *stream) write(dir proto.Direction, p []byte, to Sink) {
	if left := s.Write(p, func(q []byte) { to.Show(dir, q) }); left > 0 {
		to.Lost(dir, uint64(left))
	}
}

// end shows what a peer has not flushed, and ends the coroutine.
func (s *stream) end(dir proto.Direction, to Sink) {
	s.End(func(q []byte) { to.Show(dir, q) })
}
