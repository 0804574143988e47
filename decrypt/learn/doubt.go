package learn

import (
	"cmp"
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
	d := t.doubts.find(k)
	if d == nil {
		if after > 1 {
			most, each := cmp.Or(t.options.Entries, defaultEntries), cmp.Or(t.options.ClientEntries, defaultClientEntries)
			t.doubts.put(k, by, doubt{refusals: []refusal{{now, by, why}}}, most, each)
			t.resized()
		}
		return after == 1
	}
	t.doubts.touch(k)
	d.refusals = slices.DeleteFunc(d.refusals, func(r refusal) bool {
		return now.Sub(r.at) >= t.options.Within || t.options.Scope == Host && r.by == by
	})
	d.refusals = append(d.refusals, refusal{now, by, why})
	if len(d.refusals) < after {
		return false
	}
	t.doubts.remove(k)
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
	d := t.doubts.find(k)
	if d == nil {
		return
	}
	by := owner(s.client)
	d.refusals = slices.DeleteFunc(d.refusals, func(r refusal) bool { return r.why == Closed && r.by == by })
	if len(d.refusals) == 0 {
		t.doubts.remove(k)
		t.resized()
	}
}
