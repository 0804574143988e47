package link

import (
	"errors"
	"sync/atomic"

	"github.com/clearspan/clearspan/mirror"
)

// Totals counts what a sink did. It is safe for concurrent use.
type Totals struct {
	Frames, Octets                       atomic.Uint64 // delivered
	full, noLink, tooLong, closed, other atomic.Uint64
}

// Lose counts n frames lost because of err.
func (c *Totals) Lose(err error, n int) {
	counter := &c.other
	switch {
	case errors.Is(err, mirror.ErrFull):
		counter = &c.full
	case errors.Is(err, mirror.ErrNoLink):
		counter = &c.noLink
	case errors.Is(err, mirror.ErrTooLong):
		counter = &c.tooLong
	case errors.Is(err, mirror.ErrClosed):
		counter = &c.closed
	}
	counter.Add(uint64(n))
}

// Lost returns the frames lost, by the word of mirror.LossReason, without zero
// entries.
func (c *Totals) Lost() map[string]uint64 {
	lost := make(map[string]uint64)
	for reason, n := range map[string]uint64{
		mirror.LossReason(mirror.ErrFull):    c.full.Load(),
		mirror.LossReason(mirror.ErrNoLink):  c.noLink.Load(),
		mirror.LossReason(mirror.ErrTooLong): c.tooLong.Load(),
		mirror.LossReason(mirror.ErrClosed):  c.closed.Load(),
		mirror.LossReason(errOther):          c.other.Load(),
	} {
		if n > 0 {
			lost[reason] = n
		}
	}
	return lost
}

// errOther stands for every error that has no loss reason of its own.
var errOther = errors.New("send frames")
