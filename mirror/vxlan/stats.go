package vxlan

import (
	"sync/atomic"

	"github.com/clearspan/clearspan/mirror/internal/framecount"
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
	framecount.Counters
	refused atomic.Uint64
}

func (c *counters) snapshot() Stats {
	return Stats{Frames: c.Frames.Load(), Octets: c.Octets.Load(), Lost: c.Lost(), Refused: c.refused.Load()}
}
