package pcapip

import (
	"sync/atomic"

	"github.com/clearspan/clearspan/mirror/internal/framecount"
)

// Stats is what a sink did since it was opened. Frames plus frames lost is the
// number of frames offered to Send.
type Stats struct {
	Frames  uint64            // frames queued for at least one reader
	Octets  uint64            // octets in them, without FCS
	Lost    map[string]uint64 // frames lost, by the word of mirror.LossReason; no zero entries
	Missed  uint64            // frames that a reader had no room for, summed over the readers
	Readers int               // connected now
	Queued  uint64            // octets that wait for readers, the longest queue of one
}

// Stats returns the totals so far. It may be called after Close.
func (s *Sink) Stats() Stats {
	st := s.count.snapshot()
	readers := *s.readers.Load()
	st.Readers = len(readers)
	for _, r := range readers {
		st.Queued = max(st.Queued, r.queue.octets())
	}
	return st
}

// counters holds a sink's totals. It is safe for concurrent use.
type counters struct {
	framecount.Counters
	missed atomic.Uint64
}

func (c *counters) snapshot() Stats {
	return Stats{Frames: c.Frames.Load(), Octets: c.Octets.Load(), Lost: c.Lost(), Missed: c.missed.Load()}
}
