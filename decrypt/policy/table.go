package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rule gives an action to the sessions that meet all of its conditions. A
// condition is met by any of its values, an empty one by every session. A
// condition on a fact that is not known is not met.
type Rule struct {
	Name string // unique; "" becomes "rule-" and the rule's place, from 1

	// Host holds names and patterns such as "*.example.test", which stands for
	// every name below example.test at any depth, and not for example.test
	// itself. It is met by the server name or by the host that the client asked
	// for, whichever matches. Letter case and a trailing dot do not matter;
	// international names are compared in their ASCII form. An IP address meets
	// a host that is spelled as an address.
	Host []string

	Client   []netip.Prefix // client's address
	Origin   []netip.Prefix // original destination's address
	Port     []PortRange    // original destination's port
	Protocol []string       // "tls" is met by every session with a ClientHello
	ALPN     []string       // any of the protocols that the client offers

	Action    Action
	Treatment Treatment // what it leaves open is that of the default, see [Table.WithDefault]
}

// PortRange is a range of TCP ports, both ends included.
type PortRange struct{ First, Last uint16 }

// String returns "443" or "8000-8999".
func (r PortRange) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Default is the name in a [Decision] that no rule made.
const Default = "default"

// Table is an ordered list of rules. It is immutable and safe for concurrent use.
type Table struct {
	rules     []rule
	hosts     bool // some rule has a condition on the host
	def       Action
	treatment *Treatment // of the default
}

// rule is a Rule, checked and prepared.
type rule struct {
	Rule
	hosts     hostSet
	treatment *Treatment // with what the default adds; nil: nothing
}

// New checks the rules and prepares them for [Table.Decide]. It copies what it
// keeps. def is the action of a session that no rule matches. An error names the
// rule and the value.
func New(rules []Rule, def Action) (*Table, error) {
	if int(def) >= len(actionNames) {
		return nil, fmt.Errorf("default: unknown %v", def)
	}
	t := &Table{rules: make([]rule, 0, len(rules)), def: def}
	names := make(map[string]struct{}, len(rules))
	for i, r := range rules {
		if r.Name == "" {
			r.Name = fmt.Sprintf("rule-%d", i+1)
		}
		if _, twice := names[r.Name]; twice {
			return nil, fmt.Errorf("rule %q: there is another of that name", r.Name)
		}
		names[r.Name] = struct{}{}
		p, err := prepare(r)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.Name, err)
		}
		t.rules = append(t.rules, p)
		t.hosts = t.hosts || len(p.hosts) > 0
	}
	return t, nil
}

// WithDefault returns a table with the same rules, in which sessions that no rule
// matches are treated as tr says, and those of a rule where it leaves it open.
func (t *Table) WithDefault(tr Treatment) *Table {
	c := *t
	c.treatment = tr.orElse(nil)
	c.rules = slices.Clone(t.rules)
	for i := range c.rules {
		c.rules[i].treatment = c.rules[i].Treatment.orElse(c.treatment)
	}
	return &c
}

func prepare(r Rule) (rule, error) {
	if r.Name == Default {
		return rule{}, fmt.Errorf("the name stands for the action when no rule matches")
	}
	if int(r.Action) >= len(actionNames) {
		return rule{}, fmt.Errorf("unknown %v", r.Action)
	}
	p := rule{Rule: r, treatment: r.Treatment.orElse(nil)}
	if p.treatment != nil {
		p.Treatment = *p.treatment // a copy
	}
	var err error
	if p.hosts, err = newHostSet(r.Host); err != nil {
		return rule{}, err
	}
	p.Host = nil // the set has them
	if p.Client, err = prefixes("client", r.Client); err != nil {
		return rule{}, err
	}
	if p.Origin, err = prefixes("origin", r.Origin); err != nil {
		return rule{}, err
	}
	p.Port = slices.Clone(r.Port)
	for _, ports := range p.Port {
		if ports.First == 0 || ports.Last < ports.First {
			return rule{}, fmt.Errorf("port %v is no range of 1 to 65535", ports)
		}
	}
	p.Protocol = slices.Clone(r.Protocol)
	if slices.Contains(p.Protocol, "") {
		return rule{}, fmt.Errorf("protocol %q is no protocol", "")
	}
	p.ALPN = slices.Clone(r.ALPN)
	for _, id := range p.ALPN {
		if id == "" || len(id) > 255 {
			return rule{}, fmt.Errorf("alpn %q is no identifier of 1 to 255 octets", id)
		}
	}
	return p, nil
}

// prefixes masks the prefixes and turns IPv4 in IPv6 into IPv4.
func prefixes(condition string, in []netip.Prefix) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(in))
	for _, p := range in {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if !p.IsValid() {
			return nil, fmt.Errorf("%s %v is no prefix", condition, p)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// Decide returns the action of the first rule that matches the facts, or the
// default. It borrows f until it returns, and allocates nothing unless a name in
// f is not ASCII.
func (t *Table) Decide(f *Facts) Decision {
	var s subject
	s.set(f, t.hosts)
	for i := range t.rules {
		if r := &t.rules[i]; r.mismatch(&s) == matched {
			return Decision{Rule: r.Name, Action: r.Action, Treatment: r.treatment}
		}
	}
	return Decision{Rule: Default, Action: t.def, Treatment: t.treatment}
}

// subject is the facts in the form in which rules compare them.
type subject struct {
	facts          *Facts
	client, origin netip.Addr
	sni, host      name
}

func (s *subject) set(f *Facts, names bool) {
	s.facts = f
	s.client = f.Client.Addr().Unmap().WithZone("")
	s.origin = f.Origin.Addr().Unmap().WithZone("")
	if names {
		s.sni.set(f.SNI)
		s.host.set(f.Host)
	}
}

// condition is a field of a rule, in the order in which they are compared.
type condition uint8

const (
	matched condition = iota // all conditions are met
	onProtocol
	onPort
	onOrigin
	onClient
	onALPN
	onHost
)

// mismatch returns the first condition that is not met.
func (r *rule) mismatch(s *subject) condition {
	switch {
	case len(r.Protocol) > 0 && !r.protocol(s.facts):
		return onProtocol
	case len(r.Port) > 0 && !r.port(s.facts.Origin.Port()):
		return onPort
	case len(r.Origin) > 0 && !contains(r.Origin, s.origin):
		return onOrigin
	case len(r.Client) > 0 && !contains(r.Client, s.client):
		return onClient
	case len(r.ALPN) > 0 && !r.alpn(s.facts.ALPN):
		return onALPN
	case len(r.hosts) > 0 && !r.hosts.match(&s.sni) && !r.hosts.match(&s.host):
		return onHost
	}
	return matched
}

func (r *rule) protocol(f *Facts) bool {
	for _, p := range r.Protocol {
		if f.Protocol != "" && strings.EqualFold(p, f.Protocol) || f.TLS && strings.EqualFold(p, "tls") {
			return true
		}
	}
	return false
}

func (r *rule) port(port uint16) bool {
	for _, ports := range r.Port {
		if port >= ports.First && port <= ports.Last {
			return true
		}
	}
	return false
}

func (r *rule) alpn(offered []string) bool {
	for _, id := range offered {
		if slices.Contains(r.ALPN, id) {
			return true
		}
	}
	return false
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
