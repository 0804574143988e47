package vxlan

import (
	"errors"
	"sync/atomic"

	"github.com/clearspan/clearspan/mirror"
)

// Stats is what a sink did since it was opened. Frames delivered plus frames
// lost is the number of frames offered to Send.
type Stats struct {
	Frames  uint64            // frames the kernel took
	Octets  uint64            // octets in them, without FCS and without what surrounds them
	Lost    map[string]uint64 // frames lost, by the word of mirror.LossReason; no zero entries
	Refused uint64            // answers by ICMP that a datagram was not delivered
	Up      bool              // frames can be sent now
}

// counters holds a sink's totals. It is safe for concurrent use.
type counters struct {
	frames, octets, refused                        atomic.Uint64
	full, noLink, noReader, tooLong, closed, other atomic.Uint64
}

// lose counts n frames lost because of err.
func (c *counters) lose(err error, n int) {
	counter := &c.other
	switch {
	case errors.Is(err, mirror.ErrFull):
		counter = &c.full
	case errors.Is(err, mirror.ErrNoLink):
		counter = &c.noLink
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
	st := Stats{
		Frames:  c.frames.Load(),
		Octets:  c.octets.Load(),
		Lost:    make(map[string]uint64),
		Refused: c.refused.Load(),
	}
	for reason, n := range map[string]uint64{
		mirror.LossReason(mirror.ErrFull):     c.full.Load(),
		mirror.LossReason(mirror.ErrNoLink):   c.noLink.Load(),
		mirror.LossReason(mirror.ErrNoReader): c.noReader.Load(),
		mirror.LossReason(mirror.ErrTooLong):  c.tooLong.Load(),
		mirror.LossReason(mirror.ErrClosed):   c.closed.Load(),
		mirror.LossReason(errOther):           c.other.Load(),
	} {
		if n > 0 {
			st.Lost[reason] = n
		}
	}
	return st
}

// errOther stands for every error that has no loss reason of its own.
var errOther = errors.New("send frames")
