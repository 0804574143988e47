package sessions

import (
	"testing"
	"time"
)

// TestQUICEntries: a flood of flows has few entries, and all of them when it is over.
func TestQUICEntries(t *testing.T) {
	var q rate
	now := time.Unix(1000, 0)
	count := func(n int) (written int) {
		for range n {
			if q.affords(now) {
				written++
			}
		}
		return written
	}
	if got := count(5000); got != quicBurst {
		t.Errorf("%d entries at once, want %d", got, quicBurst)
	}
	now = now.Add(2 * time.Second)
	if got := count(5000); got != 2*quicEntries {
		t.Errorf("%d entries within 2 s, want %d", got, 2*quicEntries)
	}
	now = now.Add(-time.Hour)
	if got := count(10); got != 0 {
		t.Errorf("%d entries when the clock goes back", got)
	}
	now = now.Add(time.Hour)
	if got := count(5000); got != quicBurst {
		t.Errorf("%d entries after an hour, want %d", got, quicBurst)
	}
}
