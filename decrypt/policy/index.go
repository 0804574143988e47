package policy

import (
	"net/netip"
	"slices"
)

// index finds the rules that can match a session at all, so that a decision does
// not compare all of them. A rule stands in one place: under its names and lists
// if it has any, else under its origins' addresses, else under its clients', else
// among those that are compared always. Numbers of rules are in order everywhere.
type index struct {
	exact, below namesIndex
	lists        []listed
	origins      addressIndex
	clients      addressIndex
	always       []uint32
}

// listed are the rules that ask for a list.
type listed struct {
	list  *List
	rules []uint32
}

// namesIndex gives the rules of a name.
type namesIndex struct {
	names nameTable
	spans []span // by slot
	rules []uint32
}

type span struct{ first, end uint32 }

// of returns the rules that stand under b.
func (x *namesIndex) of(b []byte) []uint32 {
	if x.names.count == 0 {
		return nil
	}
	slot, ok := x.names.find(b)
	if !ok {
		return nil
	}
	return x.rules[x.spans[slot].first:x.spans[slot].end]
}

// pattern is one of the host patterns of a rule.
type pattern struct {
	name []byte
	rule uint32
}

// newNamesIndex builds the index of patterns, which are in the order of rules.
func newNamesIndex(patterns []pattern) (x namesIndex, err error) {
	x.names = newNameTable(len(patterns))
	slots := make([]uint32, len(patterns))
	x.spans = make([]span, len(x.names.slots)) // it does not grow
	for i, p := range patterns {
		slot, err := x.names.add(p.name)
		if err != nil {
			return x, err
		}
		slots[i] = uint32(slot)
		x.spans[slot].end++ // a count, for now
	}
	x.names.clip()
	at := uint32(0)
	for i := range x.spans {
		n := x.spans[i].end
		x.spans[i] = span{at, at}
		at += n
	}
	x.rules = make([]uint32, at)
	for i, p := range patterns {
		s := &x.spans[slots[i]]
		if s.end > s.first && x.rules[s.end-1] == p.rule {
			continue // twice in one rule
		}
		x.rules[s.end] = p.rule
		s.end++
	}
	return x, nil
}

// addressIndex gives the rules of an address by the prefixes that hold it.
type addressIndex struct {
	bits     []int // lengths of prefixes, those of IPv6 plus 33
	prefixes map[netip.Prefix][]uint32
}

const ipv6 = 33 // added to the length of a prefix of IPv6

func (x *addressIndex) add(p netip.Prefix, rule uint32) {
	if x.prefixes == nil {
		x.prefixes = make(map[netip.Prefix][]uint32)
	}
	rules := x.prefixes[p]
	if len(rules) > 0 && rules[len(rules)-1] == rule {
		return
	}
	x.prefixes[p] = append(rules, rule)
	bits := p.Bits()
	if p.Addr().Is6() {
		bits += ipv6
	}
	if !slices.Contains(x.bits, bits) {
		x.bits = append(x.bits, bits)
	}
}

// prefixOf returns the prefix of a that has a length of x.bits, false if a is of the
// other family.
func prefixOf(a netip.Addr, bits int) (netip.Prefix, bool) {
	if a.Is6() != (bits >= ipv6) {
		return netip.Prefix{}, false
	}
	if a.Is6() {
		bits -= ipv6
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}

// newIndex places the rules. patterns are those of all, exact and below.
func newIndex(rules []rule, exact, below []pattern) (x index, err error) {
	if x.exact, err = newNamesIndex(exact); err != nil {
		return x, err
	}
	if x.below, err = newNamesIndex(below); err != nil {
		return x, err
	}
	byList := make(map[*List]int)
	for i := range rules {
		r, number := &rules[i], uint32(i)
		for _, l := range r.lists {
			at, ok := byList[l]
			if !ok {
				at = len(x.lists)
				byList[l] = at
				x.lists = append(x.lists, listed{list: l})
			}
			if of := x.lists[at].rules; len(of) == 0 || of[len(of)-1] != number {
				x.lists[at].rules = append(of, number)
			}
		}
		switch {
		case r.named:
		case r.conditions != nil && len(r.origin) > 0:
			for _, p := range r.origin {
				x.origins.add(p, number)
			}
		case r.conditions != nil && len(r.client) > 0:
			for _, p := range r.client {
				x.clients.add(p, number)
			}
		default:
			x.always = append(x.always, number)
		}
	}
	return x, nil
}

// named reports whether rules have a condition on the host.
func (x *index) named() bool {
	return x.exact.names.count > 0 || x.below.names.count > 0 || len(x.lists) > 0
}

// search calls look with every ascending list of rules that may match s. A rule
// with a condition on the host meets it if it is in one of them.
func (x *index) search(s *subject, look func(rules []uint32)) {
	if x.named() {
		x.name(&s.sni, look)
		if s.host.length > 0 && string(s.host.bytes()) != string(s.sni.bytes()) {
			x.name(&s.host, look)
		}
		for i := range x.lists {
			if l := &x.lists[i]; l.list.meets(s) {
				look(l.rules)
			}
		}
	}
	x.address(&x.origins, s.origin, look)
	x.address(&x.clients, s.client, look)
	look(x.always)
}

func (x *index) name(n *hostName, look func([]uint32)) {
	b := n.bytes()
	if len(b) == 0 {
		return
	}
	if rules := x.exact.of(b); len(rules) > 0 {
		look(rules)
	}
	if n.address {
		return
	}
	for i, c := range b {
		if c != '.' {
			continue
		}
		if rules := x.below.of(b[i+1:]); len(rules) > 0 {
			look(rules)
		}
	}
}

func (x *index) address(of *addressIndex, a netip.Addr, look func([]uint32)) {
	if !a.IsValid() {
		return
	}
	for _, bits := range of.bits {
		if p, ok := prefixOf(a, bits); ok {
			if rules := of.prefixes[p]; len(rules) > 0 {
				look(rules)
			}
		}
	}
}
