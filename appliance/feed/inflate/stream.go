package inflate

import (
	"compress/flate"
	"io"
	"iter"

	"github.com/clearspan/clearspan/decrypt/proto"
)

const (
	piece    = 16 << 10 // octets that are shown at a time
	maxRatio = 256      // octets that one may become, in the long run; of mail they become less than ten
	free     = 4 << 20  // octets of output before that counts
)

// stream inflates one direction. compress/flate reads when it wants to: it runs in a
// coroutine, which yields where its input ends, and for each piece of output.
type stream struct {
	next func() ([]byte, bool)
	stop func()

	yield       func([]byte) bool
	in          []byte // that was not read
	taken, made uint64
	broken      bool // nothing is inflated any more
	ended       bool // no more input comes
}

func newStream() *stream {
	s := new(stream)
	s.next, s.stop = iter.Pull(s.run)
	return s
}

// run is the coroutine.
func (s *stream) run(yield func([]byte) bool) {
	s.yield = yield
	r := flate.NewReader(s)
	for p := make([]byte, piece); ; {
		n, err := r.Read(p)
		if n > 0 && !yield(p[:n]) || err != nil {
			return
		}
	}
}

// ReadByte implements [io.ByteReader]: with it compress/flate reads no more than it needs.
func (s *stream) ReadByte() (byte, error) {
	if !s.await() {
		return 0, io.EOF
	}
	c := s.in[0]
	s.in = s.in[1:]
	return c, nil
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (int, error) {
	if !s.await() {
		return 0, io.EOF
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

// await yields until there is input. It returns false if none will come.
func (s *stream) await() bool {
	for len(s.in) == 0 {
		if s.ended || !s.yield(nil) {
			return false
		}
	}
	return true
}

// write inflates p, which it borrows.
func (s *stream) write(dir proto.Direction, p []byte, to Sink) {
	if s.broken {
		to.Lost(dir, uint64(len(p)))
		return
	}
	s.in = p
	s.taken += uint64(len(p))
	s.drain(dir, to)
	if s.broken {
		to.Lost(dir, uint64(len(s.in)))
	}
	s.in = nil
}

// drain shows what the input at hand makes.
func (s *stream) drain(dir proto.Direction, to Sink) {
	for {
		p, ok := s.next()
		switch {
		case !ok:
			s.broken = true // or at its end, behind which nothing is deflated
			return
		case p == nil:
			return
		}
		s.made += uint64(len(p))
		if s.made > free+maxRatio*s.taken {
			s.broken = true
			s.stop()
			return
		}
		to.Show(dir, p)
	}
}

// end shows what a peer has not flushed, and ends the coroutine.
func (s *stream) end(dir proto.Direction, to Sink) {
	if s.ended = true; !s.broken {
		s.drain(dir, to)
	}
	s.broken = true
	s.stop()
}
