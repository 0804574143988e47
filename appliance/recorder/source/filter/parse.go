package filter

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxText bounds a filter, in octets, and maxDepth its parentheses.
const (
	maxText  = 64 << 10
	maxDepth = 200
)

// words are those of the qualifiers in front of a value.
type words struct {
	proto string // "", "ether", "ip", "tcp" ...
	dir   string // "", "src", "dst", "src and dst"
	kind  string // "host", "net", "port", "portrange", "proto"
}

// parser reads a filter.
type parser struct {
	tokens []string
	last   words // of the value before
	tags   int   // words vlan that came
	live   bool
	depth  int
}

// parse reads the text of a filter. live says that the kernel takes the outer tag of a frame
// away.
func parse(text string, live bool) (node, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("filter: it is longer than %d octets", maxText)
	}
	p := &parser{tokens: split(text), live: live}
	if len(p.tokens) == 0 {
		return nil, errors.New("filter: it is empty")
	}
	n, err := p.expression()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("unexpected %q", p.tokens[0])
	}
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return n, nil
}

// split returns the words of a text.
func split(text string) []string {
	for _, s := range []string{"(", ")", "&&", "||", "!"} {
		text = strings.ReplaceAll(text, s, " "+s+" ")
	}
	list := strings.Fields(text)
	for i, s := range list {
		switch s {
		case "&&":
			list[i] = "and"
		case "||":
			list[i] = "or"
		case "!":
			list[i] = "not"
		}
	}
	return list
}

// peek returns the next word, or "".
func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

// take takes the next word if it is one of some.
func (p *parser) take(some ...string) (string, bool) {
	if s := p.peek(); s != "" && slices.Contains(some, s) {
		p.tokens = p.tokens[1:]
		return s, true
	}
	return "", false
}

func (p *parser) expression() (node, error) {
	n, err := p.term()
	for err == nil {
		word, ok := p.take("and", "or")
		if !ok {
			return n, nil
		}
		var right node
		if right, err = p.term(); word == "and" {
			n = both{n, right}
		} else {
			n = either{n, right}
		}
	}
	return nil, err
}

func (p *parser) term() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	if _, ok := p.take("not"); ok {
		n, err := p.term()
		return negated{n}, err
	}
	if _, ok := p.take("("); ok {
		n, err := p.expression()
		if err != nil {
			return nil, err
		}
		if _, ok := p.take(")"); !ok {
			return nil, errors.New("a parenthesis is open")
		}
		return n, nil
	}
	return p.primitive()
}

var (
	protocols = []string{"ether", "ip", "ip6", "arp", "tcp", "udp", "sctp", "icmp", "icmp6"}
	kinds     = []string{"host", "net", "port", "portrange", "proto"}
	reserved  = append([]string{"and", "or", "not", "src", "dst", "vlan", "less", "greater", "(", ")"}, append(protocols, kinds...)...)
)

// primitive reads a term.
func (p *parser) primitive() (node, error) {
	switch s, _ := p.take("vlan", "less", "greater"); s {
	case "vlan":
		return p.vlan()
	case "less", "greater":
		n, err := number(p.value(), 1<<20)
		return length{n, s == "less"}, err
	}
	var w words
	w.proto, _ = p.take(protocols...)
	if err := p.direction(&w); err != nil {
		return nil, err
	}
	w.kind, _ = p.take(kinds...)
	switch {
	case w == words{}:
		if s := p.peek(); s == "" || slices.Contains(reserved, s) {
			return nil, missing("a term", s)
		}
		if p.last == (words{}) {
			return nil, fmt.Errorf("unknown term %q: see the documentation of filters for those that there are", p.peek())
		}
		w = p.last
	case w.dir == "" && w.kind == "":
		if w.proto == "ether" {
			return nil, missing("host or proto behind ether", p.peek())
		}
		return p.shifted(func(at int) (node, error) { return protocol(w.proto, at), nil })
	case w.kind == "":
		w.kind = "host"
	}
	p.last = w
	value := p.value()
	return p.shifted(func(at int) (node, error) { return w.node(value, at) })
}

// direction reads src, dst, or both.
func (p *parser) direction(w *words) error {
	first, ok := p.take("src", "dst")
	if !ok {
		return nil
	}
	w.dir = first
	if len(p.tokens) < 2 || p.tokens[1] != "src" && p.tokens[1] != "dst" || p.tokens[0] != "or" && p.tokens[0] != "and" {
		return nil
	}
	if p.tokens[1] == first {
		return nil
	}
	// "src or dst host A", but "src A or dst B"
	w.dir = ""
	if p.tokens[0] == "and" {
		w.dir = "src and dst"
	}
	p.tokens = p.tokens[2:]
	return nil
}

// value takes a word that is no keyword; "" if there is none.
func (p *parser) value() string {
	s := p.peek()
	if s == "" || slices.Contains(reserved, s) {
		return ""
	}
	p.tokens = p.tokens[1:]
	return s
}

func missing(want, have string) error {
	if have == "" {
		have = "the end"
	}
	return fmt.Errorf("want %s, not %s", want, have)
}

// shifted has a term look behind the tags of the words vlan that came. The first tag may be in
// the frame, or not.
func (p *parser) shifted(make func(at int) (node, error)) (node, error) {
	const tag = 4
	inside, err := make(12 + tag*p.tags)
	if err != nil || p.tags == 0 || !p.live {
		return inside, err
	}
	beside, err := make(12 + tag*(p.tags-1))
	return either{both{aside{}, beside}, both{negated{aside{}}, inside}}, err
}

// vlan reads what is behind the word.
func (p *parser) vlan() (node, error) {
	var id *uint32
	if s := p.peek(); s != "" && s[0] >= '0' && s[0] <= '9' {
		n, err := number(p.value(), 4095)
		if err != nil {
			return nil, err
		}
		id = &n
	}
	in := func(at int) (node, error) { return tagged(at, id), nil }
	p.tags++
	if !p.live {
		return in(12 + 4*(p.tags-1))
	}
	if p.tags == 1 {
		n, err := in(12)
		return either{both{aside{}, asideID(id)}, both{negated{aside{}}, n}}, err
	}
	p.tags--
	defer func() { p.tags++ }()
	return p.shifted(in)
}

// number reads a number that is at most largest.
func number(s string, largest uint32) (uint32, error) {
	if s == "" {
		return 0, missing("a number", s)
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil || uint32(n) > largest {
		return 0, fmt.Errorf("want a number up to %d, not %q", largest, s)
	}
	return uint32(n), nil
}

// address reads an address.
func address(s string) (netip.Prefix, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, missing("an address such as 192.0.2.1", s)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// network reads a network.
func network(s string) (netip.Prefix, error) {
	n, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil {
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
		return n, missing("a network such as 192.0.2.0/24", s)
	}
	if n != n.Masked() {
		return n, fmt.Errorf("%s has bits beyond its mask", s)
	}
	return n, nil
}

// ports reads a range of ports.
func ports(s string, one bool) (from, to uint32, err error) {
	first, last, found := strings.Cut(s, "-")
	if !found {
		last = first
	}
	if one && found || !one && !found {
		return 0, 0, missing(map[bool]string{true: "a port", false: "a range such as 8000-8099"}[one], s)
	}
	if from, err = number(first, 65535); err == nil {
		to, err = number(last, 65535)
	}
	return min(from, to), max(from, to), err
}

// hardware reads an address of Ethernet.
func hardware(s string) (net.HardwareAddr, error) {
	a, err := net.ParseMAC(s)
	if err != nil || len(a) != 6 {
		return nil, missing("an address such as 02:00:00:00:00:01", s)
	}
	return a, nil
}
