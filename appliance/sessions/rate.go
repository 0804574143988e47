package sessions

import (
	"sync"
	"sync/atomic"
	"time"
)

// Audit entries of QUIC flows, of all intakes together.
const (
	quicEntries = 50   // a second
	quicBurst   = 1000 // at once
)

// rate bounds the entries of QUIC flows.
type rate struct {
	unwritten atomic.Uint64 // flows without an audit entry

	mu     sync.Mutex
	tokens float64
	filled time.Time
}

// affords reports whether there may be one more audit entry.
func (r *rate) affords(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.filled.IsZero() {
		r.tokens = quicBurst
	} else if passed := now.Sub(r.filled); passed > 0 {
		r.tokens = min(quicBurst, r.tokens+passed.Seconds()*quicEntries)
	}
	r.filled = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}
