package quic

import (
	"container/list"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Bounds of what is held.
const (
	maxFlows       = 16384    // at a time
	maxOctets      = 16 << 20 // of memory for all flows, about
	maxConnections = 4        // of a flow
	maxDatagrams   = 16       // of a flow that waits
	maxHeld        = 64 << 10 // octets of these
	patience       = 3 * time.Second
	memory         = time.Minute // how long a flow is known after its last datagram
)

// Config configures a [Peek].
type Config struct {
	// Judge decides on a connection, once. It is called by one goroutine at a time,
	// within [Peek.Datagram] and [Peek.Expire]: it must not block, nor call those. It
	// borrows r. Undecided stands for Refuse.
	Judge func(r *Result) Verdict

	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Peek judges QUIC flows by the first datagrams of their clients. Its memory is
// bounded: of too many flows the ones are forgotten that were seen longest ago,
// without a judgement if they waited for one. Safe for concurrent use.
type Peek struct {
	judge func(*Result) Verdict
	now   func() time.Time

	mu      sync.Mutex
	opener  opener
	flows   map[tuple]*flow
	waiting list.List // *flow, by when the wait began
	decided list.List // *flow, by their last datagrams
	octets  int       // of memory
	evicted uint64    // of those that waited
}

// tuple identifies a flow.
type tuple struct{ client, origin netip.AddrPort }

// flow is what one client address and port sent to one origin's.
type flow struct {
	tuple
	start       time.Time
	connections []*connection
	datagrams   int // in all
	waits       bool
	since       time.Time // when the wait began, or the last datagram if it does not wait
	pending     int       // datagrams of the wait
	held        int       // octets of these
	verdict     Verdict   // of what was judged
	faulty      bool      // a fault of no connection was judged
	place       *list.Element
	cost        int
}

// NewPeek returns a Peek without flows.
func NewPeek(c Config) *Peek {
	p := &Peek{judge: c.Judge, now: c.Now, flows: make(map[tuple]*flow)}
	if p.now == nil {
		p.now = time.Now
	}
	return p
}

// Datagram takes a datagram from a client: the payload of UDP, which it borrows. The
// verdict is of this datagram and of those of the flow before it that are undecided.
// Refuse stands for the whole flow, from then on. A datagram with a short header
// begins no connection, and is not undecided.
func (p *Peek) Datagram(client, origin netip.AddrPort, b []byte) Verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.expire(now)
	key := tuple{client, origin}
	f := p.flows[key]
	if f == nil {
		if !isLong(b) {
			return Pass
		}
		f = p.add(key, now)
	}
	f.datagrams++
	if f.verdict != Refuse {
		p.read(f, b)
	}
	p.settle(f, now, len(b))
	if f.waits {
		return Undecided
	}
	return f.verdict
}

// Expire judges flows that have waited for too long. It is to be called now and then.
func (p *Peek) Expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(p.now())
}

// Evicted returns how many flows were forgotten before they were judged.
func (p *Peek) Evicted() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.evicted
}

// add makes a flow, which waits.
func (p *Peek) add(key tuple, now time.Time) *flow {
	for len(p.flows) >= maxFlows {
		p.evict()
	}
	f := &flow{tuple: key, start: now}
	p.flows[key] = f
	p.wait(f, now)
	return f
}

// waiting reports whether a flow has something that is to be judged yet.
func (f *flow) waiting() bool {
	return f.verdict == Undecided || f.verdict == Pass && slices.ContainsFunc(f.connections, func(c *connection) bool { return !c.judged })
}

// settle puts a flow in its place after a datagram of that many octets, or after it
// was given up, and keeps within the bounds.
func (p *Peek) settle(f *flow, now time.Time, octets int) {
	waits := f.waiting()
	if waits {
		if !f.waits {
			p.decided.Remove(f.place)
			p.wait(f, now)
		}
		f.pending++
		f.held += octets
		if f.pending > maxDatagrams || f.held > maxHeld {
			p.giveUp(f, Excess)
			waits = false
		}
	}
	if !waits {
		if f.waits {
			p.waiting.Remove(f.place)
			f.waits, f.place = false, p.decided.PushBack(f)
		}
		f.since = now
		p.decided.MoveToBack(f.place)
	}
	if f.verdict == Refuse {
		f.connections = nil
	}
	cost := flowCost
	for _, c := range f.connections {
		if !waits {
			c.rest()
		}
		cost += c.cost()
	}
	p.octets += cost - f.cost
	f.cost = cost
	for p.octets > maxOctets && len(p.flows) > 1 {
		p.evict()
	}
}

// wait has a flow wait from now on, which is in no list.
func (p *Peek) wait(f *flow, now time.Time) {
	f.waits, f.since, f.pending, f.held = true, now, 0, 0
	f.place = p.waiting.PushBack(f)
}

// evict forgets the oldest flow of those that wait, if they are half of all, or else
// of the others.
func (p *Peek) evict() {
	from := &p.decided
	if p.waiting.Len() > p.decided.Len() {
		from = &p.waiting
		p.evicted++
	}
	p.forget(from.Front().Value.(*flow))
}

func (p *Peek) forget(f *flow) {
	if f.waits {
		p.waiting.Remove(f.place)
	} else {
		p.decided.Remove(f.place)
	}
	p.octets -= f.cost
	delete(p.flows, f.tuple)
}

// expire judges flows that waited for too long, and forgets those that are silent.
func (p *Peek) expire(now time.Time) {
	for e := p.waiting.Front(); e != nil; e = p.waiting.Front() {
		f := e.Value.(*flow)
		if now.Sub(f.since) < patience {
			break
		}
		p.giveUp(f, Incomplete)
		p.settle(f, now, 0)
	}
	for e := p.decided.Front(); e != nil && now.Sub(e.Value.(*flow).since) >= memory; e = p.decided.Front() {
		p.forget(e.Value.(*flow))
	}
}

// giveUp judges what a flow waits for.
func (p *Peek) giveUp(f *flow, state State) {
	if len(f.connections) == 0 {
		p.end(f, nil, state, 0)
	}
	for _, c := range f.connections {
		if !c.judged {
			c.judged, c.closed = true, true
			p.end(f, c, state, c.version)
		}
	}
}

// end has a connection judged, or with nil a flow of which none could be read.
func (p *Peek) end(f *flow, c *connection, state State, version uint32) {
	r := Result{Client: f.client, Origin: f.origin, Start: f.start, Version: version, Datagrams: f.datagrams, State: state}
	if state == Whole {
		r.Hello = c.hello
	}
	if p.judge(&r) == Pass && f.verdict != Refuse {
		f.verdict = Pass
	} else {
		f.verdict = Refuse
	}
}
