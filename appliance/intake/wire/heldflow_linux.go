package wire

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// heldFlow is a flow whose client's payload is held.
type heldFlow struct {
	flow   *kernelFlow
	isn    uint32
	since  time.Time
	frames []*heldFrame
	octets int
	take   bool // to be taken as soon as no octets are in flight
}

// handleFrame takes one frame from the ring.
func (l *lateListener) handleFrame(b []byte) {
	t, isn, h, ok := readEvent(b)
	if !ok {
		l.counters.failed.Add(1)
		return
	}
	if h.passed {
		l.banners.add(t, isn, &h.frame)
		return
	}
	p := l.held[t]
	if p != nil && p.isn != isn { // the client began anew
		l.forget(t, p)
		p = nil
	}
	if p == nil {
		flow, err := l.program.lookup(t)
		if err != nil || flow.State != kernelStateSTATE_HELD || flow.Sides[toOrigin].Isn != isn {
			l.reinject([]*heldFrame{h}) // decided meanwhile; the frame goes where its flow does
			return
		}
		p = &heldFlow{flow: flow, isn: isn, since: time.Now(), take: len(l.held) >= l.limits.flows || l.heldOctets >= l.limits.octets}
		l.held[t] = p
	}
	p.frames = append(p.frames, h)
	p.octets += len(h.frame.octets)
	l.heldOctets += len(h.frame.octets)
	l.decideFlow(t, p)
}

// decideFlow decides on a flow if what is held of it suffices.
func (l *lateListener) decideFlow(t kernelTuple, p *heldFlow) {
	if !p.take && l.decide != nil {
		flight := p.flight()
		if len(flight) == 0 {
			return
		}
		in := &decrypt.Incoming{Intake: l.name, Client: t.client(), Origin: t.origin(), Link: p.flow.link()}
		switch l.callDecide(in, flight) {
		case NeedMore:
			if p.octets < flightLimit {
				return
			}
			l.counters.undecided.Add(1)
		case Pass:
			l.counters.passed.Add(1)
			l.passFlow(t, p)
			return
		}
	}
	p.take = true
	l.take(t, p)
}

// callDecide calls the hook. A panic there concerns one flow, which is taken: whatever
// was wrong with it is found within a session.
func (l *lateListener) callDecide(in *decrypt.Incoming, flight []byte) (v Decision) {
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("decision panicked", "client", in.Client, "origin", in.Origin, "err", fmt.Sprint(r), "stack", string(debug.Stack()))
			v = Take
		}
	}()
	return l.decide(in, flight)
}

// forget ends the wait for a flow. It is not to be called twice.
func (l *lateListener) forget(t kernelTuple, p *heldFlow) {
	delete(l.held, t)
	l.heldOctets -= p.octets
}

// flight returns the client's octets from the first on, as far as they are
// without a gap.
func (p *heldFlow) flight() (b []byte) {
	next := p.isn + 1
	for more := true; more; {
		more = false
		for _, h := range p.frames {
			body := h.frame.payload()
			skip := int32(next - h.frame.seq)
			if h.direction != toOrigin || skip < 0 || int(skip) >= len(body) {
				continue
			}
			b = append(b, body[skip:]...)
			next += uint32(len(body)) - uint32(skip)
			more = true
		}
	}
	return b
}

// passFlow has a flow pass for good: from when its origin has acknowledged the octets
// that were judged, which it gets from us.
func (l *lateListener) passFlow(t kernelTuple, p *heldFlow) {
	l.forget(t, p)
	if !l.startPassing(t, p) {
		l.release(t, p)
	}
}

// release has a flow pass at once, with the frames that were held.
func (l *lateListener) release(t kernelTuple, p *heldFlow) {
	_, _ = l.program.transition(t, kernelStateSTATE_HELD, kernelStateSTATE_PASSED) // gone is gone
	l.reinject(p.frames)
}

// giveUp ends the wait for a flow that cannot be taken: it passes, or, where the
// wire is to be blocked then, is tried again when the client repeats itself.
func (l *lateListener) giveUp(t kernelTuple, p *heldFlow, err error) {
	l.counters.failed.Add(1)
	l.log.Debug("flow not taken", "client", t.client(), "origin", t.origin(), "err", err)
	l.forget(t, p)
	if !l.holdFailed {
		l.release(t, p)
	}
}

// reinject returns frames to where they came in.
func (l *lateListener) reinject(frames []*heldFrame) {
	if err := l.injector.setMark(markReplayed); err != nil {
		l.log.Debug("frames not put back", "err", err)
		return
	}
	for _, h := range frames {
		if err := l.injector.send(h); err != nil {
			l.counters.failed.Add(1) // its sender sends it again
			l.log.Debug("frame not put back", "err", err)
		}
	}
}
