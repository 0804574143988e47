package learn

import (
	"net/netip"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// strikes are refusals of a client that does not count as pinned yet.
type strikes struct {
	list []strike // the latest last, no more than make an entry
}

type strike struct {
	at  time.Time
	by  netip.Prefix
	why string
}

// addStrike notes a refusal and reports whether it makes the client pinned.
func (t *Table) addStrike(k key, s *subject, why string, now time.Time) bool {
	after := max(1, t.options.After)
	by := owner(s.client)
	d := t.strikes.Find(k)
	if d == nil {
		if after > 1 {
			t.strikes.Limits = t.limits()
			t.strikes.Put(k, by, 0, strikes{list: []strike{{now, by, why}}})
			t.updateSize()
		}
		return after == 1
	}
	t.strikes.Touch(k)
	d.list = slices.DeleteFunc(d.list, func(r strike) bool {
		return now.Sub(r.at) >= t.options.Within || t.options.Scope == Host && r.by == by
	})
	d.list = append(d.list, strike{now, by, why})
	if len(d.list) < after {
		return false
	}
	t.strikes.Remove(k)
	t.updateSize()
	return true
}

// Accepted is told of a session whose client took our leaf and went on. It takes
// back refusals without an alert: such a client closes connections for other
// reasons, too. It borrows f.
func (t *Table) Accepted(f *policy.Facts) {
	if t.size.Load() == 0 {
		return
	}
	s, ok := newSubject(f)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := s.key(Pinned, t.options.Scope)
	d := t.strikes.Find(k)
	if d == nil {
		return
	}
	by := owner(s.client)
	d.list = slices.DeleteFunc(d.list, func(r strike) bool { return r.why == Closed && r.by == by })
	if len(d.list) == 0 {
		t.strikes.Remove(k)
		t.updateSize()
	}
}
