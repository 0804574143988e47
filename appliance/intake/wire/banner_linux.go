package wire

import (
	"time"
)

// Bounds of what is remembered of origins that speak first.
const (
	bannerOctets   = 4096        // of one flow, as in the programs
	bannerFlows    = 8192        // of all loops
	bannerLifetime = time.Minute // for a client to answer
)

// banners remembers what origins said to clients that have not spoken yet. It
// is used by one goroutine.
type banners struct {
	limit   int // of flows
	byTuple map[kernelTuple]*banner
	swept   time.Time
}

// banner is the beginning of what an origin said.
type banner struct {
	isn      uint32 // the client's, tells flows with the same tuple apart
	since    time.Time
	segments []bannerSegment
	octets   int
}

type bannerSegment struct {
	seq     uint32
	payload []byte
}

// add notes a frame from the origin. It keeps the payload.
func (g *banners) add(t kernelTuple, isn uint32, f *frame) {
	now := time.Now()
	if now.Sub(g.swept) > time.Second {
		g.swept = now
		for t, flow := range g.byTuple {
			if now.Sub(flow.since) > bannerLifetime {
				delete(g.byTuple, t)
			}
		}
	}
	flow := g.byTuple[t]
	if flow == nil || flow.isn != isn {
		if flow == nil && len(g.byTuple) >= g.limit {
			return
		}
		if g.byTuple == nil {
			g.byTuple = make(map[kernelTuple]*banner)
		}
		flow = &banner{isn: isn, since: now}
		g.byTuple[t] = flow
	}
	p := f.payload()
	if flow.octets+len(p) > 2*bannerOctets {
		return
	}
	flow.octets += len(p)
	flow.segments = append(flow.segments, bannerSegment{f.seq, p})
}

// take hands over what the origin of a flow has said, and forgets it. It returns
// nil if not every octet was seen.
func (g *banners) take(t kernelTuple, flow *kernelFlow) (all []byte) {
	known := g.byTuple[t]
	if known == nil {
		return nil
	}
	delete(g.byTuple, t)
	if known.isn != flow.Sides[toOrigin].Isn {
		return nil
	}
	next := flow.Sides[toClient].Isn + 1
	for more := true; more; {
		more = false
		for _, s := range known.segments {
			skip := next - s.seq
			if int32(skip) < 0 || int(skip) >= len(s.payload) {
				continue
			}
			all = append(all, s.payload[skip:]...)
			next += uint32(len(s.payload)) - skip
			more = true
		}
	}
	if next != flow.Sides[toClient].Next {
		return nil
	}
	return all
}
