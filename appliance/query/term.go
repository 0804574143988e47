package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// term compares one field with values, one of which is enough.
type term struct {
	field  ID
	kind   Kind
	anyway bool // there is no field: names and addresses
	hex    bool // a text may be part of an identifier
	texts  []pattern
	nets   []network
	spans  []span // of numbers
}

// span is a range of numbers, its ends included.
type span struct{ from, to int64 }

// network is what an address is compared with.
type network struct {
	prefix netip.Prefix
	port   uint16 // 0: any
}

func (n network) has(a netip.AddrPort) bool {
	return a.IsValid() && (n.port == 0 || n.port == a.Port()) && n.prefix.Contains(a.Addr().Unmap().WithZone(""))
}

// loose are the fields that a word without a field looks into, beside addresses, and the
// identifier if the word may be part of one.
var loose = [...]ID{Host, SNI, User, Rule, Reason}

func (t *term) match(row Row) bool {
	if t.anyway {
		return t.matchLoose(row)
	}
	switch t.kind {
	case Text, Phrase:
		return matchAny(t.texts, row.Text(t.field))
	case Words:
		rest := row.Text(t.field)
		for more := true; more; {
			var word string
			if word, rest, more = strings.Cut(rest, ","); matchAny(t.texts, word) {
				return true
			}
		}
		return false
	case Address:
		a := row.Address(t.field)
		for _, n := range t.nets {
			if n.has(a) {
				return true
			}
		}
		return false
	}
	v := row.Number(t.field)
	if t.kind == Time && v == 0 {
		return false // not known
	}
	for _, s := range t.spans {
		if s.from <= v && v <= s.to {
			return true
		}
	}
	return false
}

func (t *term) matchLoose(row Row) bool {
	for _, f := range loose {
		if matchAny(t.texts, row.Text(f)) {
			return true
		}
	}
	if t.hex && matchAny(t.texts, row.Text(Session)) {
		return true
	}
	for _, n := range t.nets {
		if n.has(row.Address(Client)) || n.has(row.Address(Origin)) {
			return true
		}
	}
	return false
}

// term reads a term.
func (p *parser) term(t token) (*node, error) {
	if t.field == "" {
		return &node{op: single, term: looseTerm(t.values)}, nil
	}
	f := p.language.Lookup(t.field)
	if f == nil {
		return nil, &Error{t.column, fmt.Sprintf("unknown field %q", t.field), p.language.near(t.field)}
	}
	n := &node{op: single, term: term{field: f.ID, kind: f.Kind}}
	by := t.op
	if b, ok := p.language.bounds[f.ID]; ok {
		n.term.field, by = b.Of, b.By
	}
	if by != t.op && t.op != ":" && t.op != "=" {
		return nil, t.fault(fmt.Sprintf("%s has the operator : only", f.Name))
	}
	for _, v := range t.values {
		if err := p.compare(&n.term, f, by, v); err != nil {
			return nil, err
		}
	}
	if by == "!=" {
		return &node{op: negation, sub: []*node{n}}, nil
	}
	return n, nil
}

// looseTerm is the term of words without a field.
func looseTerm(values []value) term {
	t := term{anyway: true}
	for _, v := range values {
		pattern := newPattern(v)
		if !v.quoted && !strings.Contains(v.text, "*") {
			pattern.inside = true
		}
		if v.text != "" {
			t.texts = append(t.texts, pattern)
			t.hex = t.hex || strings.Trim(strings.ToLower(v.text), "0123456789abcdef*") == ""
		}
		if n, ok := parseNetwork(v.text); ok {
			t.nets = append(t.nets, n)
		}
	}
	return t
}

// compare adds a value to the term of field f.
func (p *parser) compare(t *term, f *Field, by string, v value) error {
	fault := func(want string) error {
		return &Error{Column: v.column, Problem: fmt.Sprintf("%s wants %s, not %q", f.Name, want, v.text)}
	}
	ordered := by != ":" && by != "=" && by != "!="
	if ordered && (f.Kind <= Address || f.Kind == Phrase) {
		return &Error{Column: v.column, Problem: fmt.Sprintf("%s has no order, ask %s:%s", f.Name, f.Name, v.text)}
	}
	switch f.Kind {
	case Text, Words:
		if f.Words != nil && !v.quoted && !strings.Contains(v.text, "*") && !slices.Contains(f.Words, strings.ToLower(v.text)) {
			near := nearest(v.text, f.Words)
			if len(near) == 0 {
				near = f.Words
			}
			return &Error{v.column, fmt.Sprintf("%s is never %q", f.Name, v.text), near}
		}
		t.texts = append(t.texts, newPattern(v))
	case Phrase:
		one := newPattern(v)
		one.inside = len(one.parts) == 1
		t.texts = append(t.texts, one)
	case Address:
		n, ok := parseNetwork(v.text)
		if !ok {
			return fault("an address or a prefix")
		}
		t.nets = append(t.nets, n)
	default:
		s, ok := parseSpan(f.Kind, v.text, p.now)
		if !ok {
			return fault(examples[f.Kind])
		}
		t.spans = append(t.spans, s.ordered(by))
	}
	return nil
}

// examples say what values of a kind look like.
var examples = map[Kind]string{
	PortRange: "a port or a range such as 8000-8099",
	Size:      "a size such as 1500, 64KiB or 1MB",
	Duration:  "a duration such as 90s, 1h30m or 2d",
	Number:    "a number or a range such as 200-299",
	Time:      "a time such as 2026-11-01, 2026-11-01T12:30, 14:05 or 15m",
}

// ordered returns the numbers that stand in an order to those of s.
func (s span) ordered(by string) span {
	const most = 1<<63 - 1
	switch by {
	case "<":
		if s.from == -most-1 {
			return span{0, -1} // none
		}
		return span{-most - 1, s.from - 1}
	case "<=":
		return span{-most - 1, s.to}
	case ">":
		if s.to == most {
			return span{0, -1}
		}
		return span{s.to + 1, most}
	case ">=":
		return span{s.from, most}
	}
	return s
}
