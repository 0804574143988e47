package pcapip

import (
	"errors"
	"sync/atomic"

	"github.com/clearspan/clearspan/mirror"
)

// Stats is what a sink did since it was opened. Frames plus frames lost is the
// number of frames offered to Send.
type Stats struct {
	Frames  uint64            // frames queued for at least one reader
	Octets  uint64            // octets in them, without FCS
	Lost    map[string]uint64 // frames lost, by the word of mirror.LossReason; no zero entries
	Missed  uint64            // frames that a reader had no room for, summed over the readers
	Readers int               // connected now
}

// Stats returns the totals so far. It may be called after Close.
func (s *Sink) Stats() Stats {
	st := s.count.snapshot()
	st.Readers = len(*s.readers.Load())
	return st
}

// counters holds a sink's totals. It is safe for concurrent use.
type counters struct {
	frames, octets, missed          atomic.Uint64
	full, noReader, tooLong, closed atomic.Uint64
}

// lose counts n frames lost because of err, one of those that Send returns.
func (c *counters) lose(err error, n int) {
	counter := &c.full
	switch {
	case errors.Is(err, mirror.ErrNoReader):
		counter = &c.noReader
	case errors.Is(err, mirror.ErrTooLong):
		counter = &c.tooLong
	case errors.Is(err, mirror.ErrClosed):
		counter = &c.closed
	}
	counter.Add(uint64(n))
}

func (c *counters) snapshot() Stats {
	st := Stats{Frames: c.frames.Load(), Octets: c.octets.Load(), Missed: c.missed.Load(), Lost: make(map[string]uint64)}
	for reason, n := range map[string]uint64{
		mirror.LossReason(mirror.ErrFull):     c.full.Load(),
		mirror.LossReason(mirror.ErrNoReader): c.noReader.Load(),
		mirror.LossReason(mirror.ErrTooLong):  c.tooLong.Load(),
		mirror.LossReason(mirror.ErrClosed):   c.closed.Load(),
	} {
		if n > 0 {
			st.Lost[reason] = n
		}
	}
	return st
}
