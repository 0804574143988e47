package icap

import (
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// Times for bodies of unknown length, whose sender may wait for an answer before it goes
// on.
const (
	lull    = 20 * time.Millisecond // after which a body is taken to have paused
	silence = time.Second           // before its first octet
)

// maxFlight is how much a read beside takes at most, in octets.
const maxFlight = 32 << 10

// flight is a read of a body that runs beside, so that who waits for it can leave.
type flight struct {
	done chan struct{} // closed when the read has returned
	p    []byte        // what it read, valid then
	err  error
}

// depart begins a read of up to n octets beside, unless one is under way, and returns
// it.
func (s *source) depart(n int) *flight {
	if s.flight != nil {
		return s.flight
	}
	f := &flight{done: make(chan struct{})}
	s.flight = f
	go func() {
		defer close(f.done)
		defer func() {
			if v := recover(); v != nil { // of whom the body comes from
				f.p, f.err = nil, fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		p := make([]byte, min(n, maxFlight))
		m, err := s.r.Read(p)
		f.p, f.err = p[:m], err
	}()
	return f
}

// fetch reads what a flight brought, or, without one, from the body itself.
func (s *source) fetch(p []byte) (int, error) {
	f := s.flight
	if f == nil {
		return s.r.Read(p)
	}
	<-f.done
	n := copy(p, f.p)
	if f.p = f.p[n:]; len(f.p) > 0 {
		return n, nil
	}
	s.flight = nil
	return n, f.err
}

// landed reports whether no read is under way.
func (s *source) landed() bool {
	if s.flight == nil {
		return true
	}
	select {
	case <-s.flight.done:
		return true
	default:
		return false
	}
}

// land waits for a read under way: nobody reads the body behind it.
func (s *source) land() {
	if s.flight != nil {
		<-s.flight.done
	}
}

// gather reads until size octets are kept, or all of a shorter body, and rewinds. It
// reports false if the body pauses before. An error is one of the body.
func (s *source) gather(size int) (bool, error) {
	t := time.NewTimer(silence)
	defer t.Stop()
	buf := make([]byte, size)
	for n := 0; n < size && !s.ended(); {
		if s.pos == len(s.kept) {
			select {
			case <-s.depart(size - n).done:
				t.Reset(lull)
			case <-t.C:
				if !s.landed() {
					return false, s.back()
				}
			}
		}
		m, err := s.Read(buf[:size-n])
		if err != nil && err != io.EOF {
			return false, err
		}
		n += m
	}
	return true, s.back()
}

// back is rewind to the first octet, which is kept.
func (s *source) back() error {
	if !s.rewind() {
		return fault(Protocol, "a preview is longer than what is kept")
	}
	return nil
}
