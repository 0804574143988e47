package policy

import (
	"net/netip"
	"slices"
)

// Shadow is a rule that decides about no session, because rules before it match whatever
// it matches.
type Shadow struct {
	Rule int // place among the rules, from 0
	By   int // place of the first of the rules before it
}

// shadowWork bounds how many pairs of rules [Shadows] compares: some seconds.
const shadowWork = 20_000_000

// Shadows returns up to most rules of t that no session reaches. rules are those that t
// was made of. A rule counts if, for each of its names and lists alone, an earlier rule
// has the name and no condition that it lacks. Two rules that together cover an address or
// a port range of a third one are not found, nor are rules behind very many comparisons.
// The search goes by the index, as [Table.Decide] does.
func (t *Table) Shadows(rules []Rule, most int) (shadows []Shadow) {
	s := shadowing{t: t}
	for i := range t.rules {
		if by, ok := s.shadow(&rules[i], uint32(i)); ok {
			shadows = append(shadows, Shadow{i, int(by)})
		}
		if len(shadows) == most || s.work > shadowWork {
			break
		}
	}
	return shadows
}

// shadowing looks for rules that cover others.
type shadowing struct {
	t    *Table
	work int
}

// shadow returns the first of the earlier rules that cover rule number, false if they
// leave sessions to it.
func (s *shadowing) shadow(r *Rule, number uint32) (by uint32, ok bool) {
	subject := subject{facts: new(Facts)}
	if c := s.t.rules[number].conditions; c != nil {
		if len(c.client) > 0 {
			subject.client = c.client[0].Addr()
		}
		if len(c.origin) > 0 {
			subject.origin = c.origin[0].Addr()
		}
	}
	if len(r.Host)+len(r.Category) == 0 {
		return s.cover(&subject, nil, number)
	}
	by = number
	for _, h := range r.Host {
		wild, err := subject.sni.pattern(h)
		if err != nil {
			return 0, false
		}
		if wild && !subject.sni.set("some-name-that-nobody-lists."+string(subject.sni.bytes())) {
			return 0, false
		}
		first, ok := s.cover(&subject, nil, number)
		if !ok {
			return 0, false
		}
		by = min(by, first)
	}
	subject.sni = hostName{}
	for _, l := range r.Category {
		first, ok := s.cover(&subject, l, number)
		if !ok {
			return 0, false
		}
		by = min(by, first)
	}
	return by, true
}

// cover returns the first rule before number that has the name of the subject, or the
// list, and no condition that rule number lacks.
func (s *shadowing) cover(of *subject, list *List, number uint32) (by uint32, ok bool) {
	by = number
	look := func(rules []uint32) {
		for _, i := range rules {
			if i >= by {
				return
			}
			if s.work++; s.t.rules[i].covers(&s.t.rules[number]) {
				by = i
				return
			}
		}
	}
	if list != nil {
		for i := range s.t.index.lists {
			if l := &s.t.index.lists[i]; l.list == list {
				look(l.rules)
			}
		}
	}
	s.t.index.search(of, look)
	return by, by < number
}

// covers reports whether r matches every session that o matches, as far as their
// conditions beside that on the host tell.
func (r *rule) covers(o *rule) bool {
	c := r.conditions
	if c == nil {
		return true
	}
	d := o.conditions
	if d == nil {
		return false
	}
	return within(d.intake, c.intake) && within(d.protocol, c.protocol) && within(d.alpn, c.alpn) && within(d.ja4, c.ja4) &&
		withinPorts(d.port, c.port) && withinPrefixes(d.origin, c.origin) && withinPrefixes(d.client, c.client) && withinPeriods(d.time, c.time) &&
		within(d.request.path, c.request.path) && within(d.request.method, c.request.method) && r.coversCertificate(o)
}

// coversCertificate compares the conditions on the origin's certificate. A certificate
// that is not trusted counts only for rules that terminate.
func (r *rule) coversCertificate(o *rule) bool {
	c, d := &r.certificate, &o.certificate
	if !c.asks() {
		return true
	}
	if r.action != Terminate && o.action == Terminate || len(c.names) > 0 && len(d.names) == 0 {
		return false
	}
	for name, kind := range d.names {
		if len(c.names) > 0 && kind&^c.names[name] != 0 {
			return false
		}
	}
	return within(d.issuer, c.issuer)
}

// within reports whether all values of the narrow condition are in the wide one. An empty
// condition is met by everything.
func within[T comparable](narrow, wide []T) bool {
	return len(wide) == 0 || len(narrow) > 0 && !slices.ContainsFunc(narrow, func(v T) bool { return !slices.Contains(wide, v) })
}

// withinBy is within for values that lie in another value.
func withinBy[T any](narrow, wide []T, in func(n, w T) bool) bool {
	return len(wide) == 0 || len(narrow) > 0 && !slices.ContainsFunc(narrow, func(n T) bool {
		return !slices.ContainsFunc(wide, func(w T) bool { return in(n, w) })
	})
}

func withinPorts(narrow, wide []PortRange) bool {
	return withinBy(narrow, wide, func(n, w PortRange) bool { return n.First >= w.First && n.Last <= w.Last })
}

func withinPrefixes(narrow, wide []netip.Prefix) bool {
	return withinBy(narrow, wide, func(n, w netip.Prefix) bool { return n.Bits() >= w.Bits() && w.Contains(n.Addr()) })
}

func withinPeriods(narrow, wide []Period) bool {
	return withinBy(narrow, wide, func(n, w Period) bool {
		sameZone := n.Zone == w.Zone || n.Zone != nil && w.Zone != nil && n.Zone.String() == w.Zone.String()
		n.Zone, w.Zone = nil, nil
		return sameZone && n == w
	})
}
