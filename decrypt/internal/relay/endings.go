package relay

import (
	"sync"
	"sync/atomic"
	"time"
)

// endings is what has become of the two directions of a session. Safe for concurrent
// use; nothing in it is for each octet.
type endings struct {
	finished [2]atomic.Bool // by direction: its source has ended in order
	failed   atomic.Bool    // a direction has failed, both legs are reset

	changes sync.Mutex
	changed chan struct{} // closed with the next change; nil: nobody waits
}

// setFinished notes that the source of a direction has ended in order.
func (o *endings) setFinished(dir Direction) {
	o.finished[dir].Store(true)
	o.tell()
}

// setFailed notes that the session has failed, and returns whether that was known.
func (o *endings) setFailed() (known bool) {
	known = o.failed.Swap(true)
	o.tell()
	return known
}

func (o *endings) tell() {
	o.changes.Lock()
	defer o.changes.Unlock()
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

// awaitFinish waits until the source of a direction has ended in order. It returns
// false if the session fails first, or patience is over.
func (o *endings) awaitFinish(dir Direction, patience time.Duration) bool {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		changed := o.change() // before the look, so that none is missed
		switch {
		case o.finished[dir].Load():
			return true
		case o.failed.Load():
			return false
		}
		select {
		case <-changed:
		case <-timeout.C:
			return false
		}
	}
}

// change returns what the next change closes.
func (o *endings) change() <-chan struct{} {
	o.changes.Lock()
	defer o.changes.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return o.changed
}

// Finished reports whether the source of a direction has ended in order.
func (o *endings) Finished(dir Direction) bool { return o.finished[dir].Load() }
