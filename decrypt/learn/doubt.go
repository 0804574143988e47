package learn

import (
	"net/netip"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// doubt is what speaks for a pinned client before it counts as one.
type doubt struct {
	refusals []refusal // the latest last, no more than make an entry
}

type refusal struct {
	at  time.Time
	by  netip.Prefix
	why string
}

// convinced notes a refusal and reports whether there were enough.
func (t *Table) convinced(k key, s *subject, why string, now time.Time) bool {
	after := max(1, t.options.After)
	by := owner(s.client)
	d := t.doubts.Find(k)
	if d == nil {
		if after > 1 {
			t.doubts.Limits = t.limits()
			t.doubts.Put(k, by, 0, doubt{refusals: []refusal{{now, by, why}}})
			t.resized()
		}
		return after == 1
	}
	t.doubts.Touch(k)
	d.refusals = slices.DeleteFunc(d.refusals, func(r refusal) bool {
		return now.Sub(r.at) >= t.options.Within || t.options.Scope == Host && r.by == by
	})
	d.refusals = append(d.refusals, refusal{now, by, why})
	if len(d.refusals) < after {
		return false
	}
	t.doubts.Remove(k)
	t.resized()
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
	d := t.doubts.Find(k)
	if d == nil {
		return
	}
	by := owner(s.client)
	d.refusals = slices.DeleteFunc(d.refusals, func(r refusal) bool { return r.why == Closed && r.by == by })
	if len(d.refusals) == 0 {
		t.doubts.Remove(k)
		t.resized()
	}
}
