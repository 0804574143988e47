package link

import (
	"sync/atomic"
	"time"
)

// Outage bounds how long senders wait for an interface to come back: all of them
// together as long as one. Its zero value is ready; it is safe for concurrent use.
type Outage struct {
	since atomic.Int64 // when somebody first waited, nanoseconds since 1970; 0: all is well
}

// Over notes that a frame was sent. It costs an atomic load.
func (o *Outage) Over() {
	if o.since.Load() != 0 {
		o.since.Store(0)
	}
}

// Wait sleeps for a moment and reports true, or at once false when the outage
// has lasted for limit.
func (o *Outage) Wait(limit time.Duration) bool {
	now := time.Now().UnixNano()
	if !o.since.CompareAndSwap(0, now) && now-o.since.Load() >= int64(limit) {
		return false
	}
	time.Sleep(outagePoll)
	return true
}

// outagePoll is how often a sender that waits looks again.
const outagePoll = time.Millisecond
