// Package framecount counts the frames that a sink delivered and lost.
package framecount

import (
	"errors"
	"sync/atomic"

	"github.com/clearspan/clearspan/mirror"
)

// reasons are the errors that have a loss reason of their own and are counted apart.
var reasons = [...]error{mirror.ErrFull, mirror.ErrNoLink, mirror.ErrNoReader, mirror.ErrTooLong, mirror.ErrClosed}

// Counters counts frames. Its zero value is ready. It is safe for concurrent use.
type Counters struct {
	Frames, Octets atomic.Uint64 // delivered

	lost [len(reasons) + 1]atomic.Uint64 // by reason, the last for all others
}

// Lose counts n frames lost because of err.
func (c *Counters) Lose(err error, n int) {
	i := 0
	for i < len(reasons) && !errors.Is(err, reasons[i]) {
		i++
	}
	c.lost[i].Add(uint64(n))
}

// Lost returns the frames lost, by the word of mirror.LossReason, without zero
// entries.
func (c *Counters) Lost() map[string]uint64 {
	lost := make(map[string]uint64)
	for i := range c.lost {
		if n := c.lost[i].Load(); n > 0 {
			err := error(nil)
			if i < len(reasons) {
				err = reasons[i]
			}
			lost[mirror.LossReason(err)] += n
		}
	}
	return lost
}
