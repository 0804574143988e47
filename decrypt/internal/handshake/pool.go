package handshake

import (
	"runtime"
	"sync/atomic"
	"time"
)

// idleWorker is for how long a goroutine of a Pool waits for more work.
const idleWorker = 100 * time.Millisecond

// Pool runs handshakes. They need a deep stack (ML-KEM alone has frames of 12 KiB),
// which a goroutine that waits in a relay afterwards would keep until several
// collections of garbage have halved it. So sessions have them run by goroutines that
// go on to the next one, and wait on a small stack. It takes no less CPU time: handing
// over costs what growing a stack does.
//
// It is safe for concurrent use, and leaves nothing behind once it is not used for a
// moment.
type Pool struct {
	jobs chan job // to one that waits
	free atomic.Int32
}

type job struct {
	f    func() error
	done chan<- error // has room
}

func NewPool() *Pool { return &Pool{jobs: make(chan job)} }

// Run runs f and returns what it returns. A panic of f is a panic of the process.
func (c *Pool) Run(f func() error) error {
	done := make(chan error, 1)
	j := job{f, done}
	select {
	case c.jobs <- j:
	default:
		go c.work(j)
	}
	return <-done
}

// work runs j and what comes after, unless there are enough who wait for that.
func (c *Pool) work(j job) {
	patience := time.NewTimer(idleWorker)
	defer patience.Stop()
	for {
		j.done <- j.f()
		j = job{} // waiting, it holds nothing of a session
		if c.free.Add(1) > int32(4*runtime.GOMAXPROCS(0)) {
			c.free.Add(-1)
			return
		}
		patience.Reset(idleWorker)
		select {
		case j = <-c.jobs:
		case <-patience.C:
		}
		if c.free.Add(-1); j.f == nil {
			return
		}
	}
}
