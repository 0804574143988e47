package intake

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Pulse wakes accept loops, and beats when all of them have come round since its last
// beat. A loop that hangs, or a process that is stopped, has none. A nil Pulse wakes
// nobody. It is safe for concurrent use.
type Pulse struct {
	mu     sync.Mutex
	loops  []*loop
	rounds uint64
}

// loop is one accept loop.
type loop struct {
	wake  func(time.Time) error // sets a deadline
	round uint64                // that it was last seen in
}

// Loop adds the loop of a listener, and returns what that calls when Accept returns
// [os.ErrDeadlineExceeded]. A listener without deadlines is not added.
func (p *Pulse) Loop(listener any) (beat func()) {
	l, ok := listener.(interface{ SetDeadline(time.Time) error })
	if p == nil || !ok {
		return func() {}
	}
	one := &loop{wake: l.SetDeadline}
	p.mu.Lock()
	defer p.mu.Unlock()
	one.round = p.rounds
	p.loops = append(p.loops, one)
	return func() {
		one.wake(time.Time{}) // an error: the listener is closed, which Accept tells
		p.mu.Lock()
		defer p.mu.Unlock()
		one.round = p.rounds
	}
}

// Run wakes loops once an interval, and calls beat when all came round, until ctx ends.
func (p *Pulse) Run(ctx context.Context, interval time.Duration, beat func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if p.round() {
				beat()
			}
		}
	}
}

// round begins a round, and reports whether all loops had seen the one before.
func (p *Pulse) round() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := true
	for _, l := range p.loops {
		all = all && l.round == p.rounds
	}
	if all {
		p.rounds++
	}
	// One that cannot be woken is closed: nothing is accepted there any more.
	p.loops = slices.DeleteFunc(p.loops, func(l *loop) bool { return l.wake(time.Unix(1, 0)) != nil })
	return all
}
