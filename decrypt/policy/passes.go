package policy

import "slices"

// Passes reports whether the policy lets a session be, as far as is known before the
// client's first octet, see [Table.Settle]: it does not terminate it, and no rule that
// terminates could still match. Rules on hosts are in doubt only if the client asked a
// proxy for none. The cost grows with the number of rules.
func (t *Table) Passes(f *Facts) bool {
	if d := t.Decide(f); d.Pending || d.Action == Terminate || d.Action == TunnelCheck {
		return false
	}
	var s subject
	s.set(f, t.index.named())
	var met []uint32 // rules whose condition on the host is met
	t.index.search(&s, func(rules []uint32) { met = append(met, rules...) })
	for i := range t.rules {
		r := &t.rules[i]
		if r.action != Terminate || r.excluded(&s) {
			continue
		}
		if !r.named || s.host.length == 0 || slices.Contains(met, uint32(i)) {
			return false
		}
	}
	return true
}
