package decrypt

import (
	"runtime"
	"sync/atomic"
	"time"
)

// idleWorker is for how long a goroutine of a handshakePool waits for more work.
const idleWorker = 100 * time.Millisecond

// handshakePool runs handshakes. They need a deep stack (ML-KEM alone has frames of 12 KiB),
// which a goroutine that waits in a relay afterwards would keep until several
// collections of garbage have halved it. So sessions have them run by goroutines that
// go on to the next one, and wait on a small stack. It takes no less CPU time: handing
// over costs what growing a stack does.
//
// It is safe for concurrent use, and leaves nothing behind once it is not used for a
// moment.
type handshakePool struct {
	jobs chan job // to one that waits
	free atomic.Int32
}

type job struct {
	f    func() error
	done chan<- error // has room
}

func newHandshakePool() *handshakePool { return &handshakePool{jobs: make(chan job)} }

// run runs f, by [Contain], and returns what it returns.
func (c *handshakePool) run(f func() error) error {
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
func (c *handshakePool) work(j job) {
	patience := time.NewTimer(idleWorker)
	defer patience.Stop()
	for {
		j.done <- Contain(j.f)
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
