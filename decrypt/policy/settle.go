package policy

import "slices"

// Settle returns what [Table.Decide] says of facts that are known before the
// client's first octet, its port, addresses and the host that it asked a proxy
// for, and whether that is to terminate and stands whatever becomes known later: no
// rule before the one that matches could match with more facts, or it has the same
// action. A rule that matches by the host is not in doubt for rules on other hosts,
// whose name a client could still say elsewhere. The cost grows with the number of
// rules before that one.
func (t *Table) Settle(f *Facts) (Decision, bool) {
	d := t.Decide(f)
	if d.Pending || d.Action != Terminate {
		return d, false
	}
	var s subject
	s.set(f, t.index.named())
	var met []uint32 // rules whose condition on the host is met
	t.index.search(&s, func(rules []uint32) {
		for _, number := range rules {
			if t.rules[number].named {
				met = append(met, number)
			}
		}
	})
	var open, named uint // actions of rules that could still match, a bit each; named: if only the name were another
	for i := range t.rules {
		r := &t.rules[i]
		hostMet := !r.named || slices.Contains(met, uint32(i))
		switch c := r.mismatch(&s, true); {
		case c == matched && hostMet:
			doubt := open
			if !r.named {
				doubt |= named
			}
			return d, doubt&^(1<<d.Action) == 0
		case r.excluded(&s):
		case c == matched && s.host.length > 0:
			named |= 1 << r.action
		default:
			open |= 1 << r.action
		}
	}
	return d, (open|named)&^(1<<d.Action) == 0
}

// excluded reports whether a rule cannot match whatever the client says: a
// condition on the transport, or on the time, is not met.
func (r *rule) excluded(s *subject) bool {
	c := r.conditions
	return c != nil && (len(c.intake) > 0 && !slices.Contains(c.intake, s.facts.Intake) ||
		len(c.port) > 0 && !c.portMet(s.facts.Origin.Port()) ||
		len(c.origin) > 0 && !contains(c.origin, s.origin) ||
		len(c.client) > 0 && !contains(c.client, s.client) ||
		len(c.time) > 0 && !c.timeMet(s.facts.Time))
}
