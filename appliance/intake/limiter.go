package intake

import "sync/atomic"

// Admission tells whether the machine has room for one more session, and counts it
// if so. If not, refused is [MemoryShort] or [DescriptorsShort]. It is called
// concurrently.
type Admission func() (refused Event, ok bool)

// Limiter bounds the sessions that are open at once, over all intakes that share
// it. A nil Limiter does not limit. Safe for concurrent use.
type Limiter struct {
	max, open atomic.Int64
	admit     Admission // may be nil
}

// Limits are what operators choose for all intakes together.
type Limits struct {
	Sessions int // open at once; 0 or less is no limit
}

// NewLimiter returns a limiter. admit may be nil.
func NewLimiter(limits Limits, admit Admission) *Limiter {
	l := &Limiter{admit: admit}
	l.SetLimits(limits)
	return l
}

// SetLimits changes the limits. Sessions that are open stay open.
func (l *Limiter) SetLimits(limits Limits) { l.max.Store(int64(limits.Sessions)) }

// Open returns the number of sessions that are open.
func (l *Limiter) Open() int {
	if l == nil {
		return 0
	}
	return int(l.open.Load())
}

// take counts one more session, or reports false, and why, if there may be none.
func (l *Limiter) take() (refused Event, ok bool) {
	if l == nil {
		return 0, true
	}
	n, max := l.open.Add(1), l.max.Load()
	switch {
	case max > 0 && n > max:
		refused = LimitReached
	case l.admit == nil:
		return 0, true
	default:
		if refused, ok = l.admit(); ok {
			return 0, true
		}
	}
	l.open.Add(-1)
	return refused, false
}

// release gives back what take took.
func (l *Limiter) release() {
	if l != nil {
		l.open.Add(-1)
	}
}
