package wire

import (
	"time"
)

// Bounds of what is remembered of origins that speak first.
const (
	greetingOctets = 4096        // of one flow, as in the programs
	greetingFlows  = 8192        // of all loops
	greetingLife   = time.Minute // for a client to answer
)

// greetings remembers what origins said to clients that have not spoken yet. It
// is used by one goroutine.
type greetings struct {
	limit int // of flows
	flows map[kernelTuple]*greeting
	swept time.Time
}

// greeting is the beginning of what an origin said.
type greeting struct {
	isn    uint32 // the client's, tells flows with the same tuple apart
	since  time.Time
	frames []said
	octets int
}

type said struct {
	seq     uint32
	payload []byte
}

// add notes a frame from the origin. It keeps the payload.
func (g *greetings) add(t kernelTuple, isn uint32, f *frame) {
	now := time.Now()
	if now.Sub(g.swept) > time.Second {
		g.swept = now
		for t, flow := range g.flows {
			if now.Sub(flow.since) > greetingLife {
				delete(g.flows, t)
			}
		}
	}
	flow := g.flows[t]
	if flow == nil || flow.isn != isn {
		if flow == nil && len(g.flows) >= g.limit {
			return
		}
		if g.flows == nil {
			g.flows = make(map[kernelTuple]*greeting)
		}
		flow = &greeting{isn: isn, since: now}
		g.flows[t] = flow
	}
	p := f.payload()
	if flow.octets+len(p) > 2*greetingOctets {
		return
	}
	flow.octets += len(p)
	flow.frames = append(flow.frames, said{f.seq, p})
}

// take hands over what the origin of a flow has said, and forgets it. It returns
// nil if not every octet was seen.
func (g *greetings) take(t kernelTuple, flow *kernelFlow) (all []byte) {
	known := g.flows[t]
	if known == nil {
		return nil
	}
	delete(g.flows, t)
	if known.isn != flow.Sides[toOrigin].Isn {
		return nil
	}
	next := flow.Sides[toClient].Isn + 1
	for more := true; more; {
		more = false
		for _, s := range known.frames {
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
