package intake

import "sync/atomic"

// Limiter bounds the sessions that are open at once, over all intakes that share
// it. A nil Limiter does not limit. Safe for concurrent use.
type Limiter struct {
	max, open atomic.Int64
}

// NewLimiter returns a limiter for up to max sessions; 0 or less is no limit.
func NewLimiter(max int) *Limiter {
	l := new(Limiter)
	l.SetMax(max)
	return l
}

// SetMax changes the limit. Sessions that are open stay open.
func (l *Limiter) SetMax(max int) { l.max.Store(int64(max)) }

// Open returns the number of sessions that are open.
func (l *Limiter) Open() int {
	if l == nil {
		return 0
	}
	return int(l.open.Load())
}

// take counts one more session, or reports false if that would be one too many.
func (l *Limiter) take() bool {
	if l == nil {
		return true
	}
	n, max := l.open.Add(1), l.max.Load()
	if max > 0 && n > max {
		l.open.Add(-1)
		return false
	}
	return true
}

// release gives back what take took.
func (l *Limiter) release() {
	if l != nil {
		l.open.Add(-1)
	}
}
