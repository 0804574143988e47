package policy

// Settle returns what [Table.Decide] says of facts that are known before the
// client's first octet, its port, addresses and the host that it asked a proxy
// for, and whether the action stands whatever becomes known later: no rule before
// the one that matches could match with more facts, or it has the same action. A
// rule that matches by the host is not in doubt for rules on other hosts, whose
// name a client could still say elsewhere.
func (t *Table) Settle(f *Facts) (Decision, bool) {
	var s subject
	s.set(f, t.hosts)
	var open, named uint // actions of rules that could still match, a bit each; named: if only the name were another
	for i := range t.rules {
		r := &t.rules[i]
		switch c := r.mismatch(&s); {
		case c == matched:
			doubt := open
			if len(r.hosts) == 0 {
				doubt |= named
			}
			return Decision{Rule: r.Name, Action: r.Action, Treatment: r.treatment}, doubt&^(1<<r.Action) == 0
		case r.excluded(&s):
		case c == onHost && len(s.host.bytes()) > 0:
			named |= 1 << r.Action
		default:
			open |= 1 << r.Action
		}
	}
	return Decision{Rule: Default, Action: t.def, Treatment: t.treatment}, (open|named)&^(1<<t.def) == 0
}

// excluded reports whether a rule cannot match whatever the client says: a
// condition on the transport is not met.
func (r *rule) excluded(s *subject) bool {
	return len(r.Port) > 0 && !r.port(s.facts.Origin.Port()) ||
		len(r.Origin) > 0 && !contains(r.Origin, s.origin) ||
		len(r.Client) > 0 && !contains(r.Client, s.client)
}
