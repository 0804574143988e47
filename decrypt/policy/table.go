package policy

import (
	"fmt"
	"net/netip"
	"slices"
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
	// Category belongs to the condition on the host: it is met as well by a name
	// that one of the lists stands for.
	Category []*List

	Intake   []string       // name of the intake
	Client   []netip.Prefix // client's address
	Origin   []netip.Prefix // original destination's address
	Port     []PortRange    // original destination's port
	Protocol []string       // "tls" is met by every session with a ClientHello
	ALPN     []string       // any of the protocols that the client offers
	JA4      []string       // fingerprints of the client's hello; "*" may stand for any of the three parts
	Time     []Period

	// OriginName and Issuer ask for the origin's certificate, which is known only
	// after a handshake with the origin: see [Decision.Pending] and
	// [Certificate.Trusted]. OriginName holds patterns as Host does. One is met by
	// any name in the certificate; a name with a star there meets every name that
	// it is valid for. Issuer is compared with the issuer's common name,
	// organization and whole name, regardless of letter case.
	OriginName []string
	Issuer     []string

	// Path and Method ask for the requests within a session, and so does a Category of
	// URLs. Such a rule decides about each request, see [Table.Requests]: as long as no
	// request is known, it does not match. It can terminate, or except requests from rules
	// behind it (bump), and has no Treatment.
	//
	// Path holds patterns for the path of a request in its canonical form, see
	// [Request.SetTarget]. "*" stands for octets of any kind and number.
	Path   []string
	Method []string // compared exactly

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
	index     *index
	def       Action
	treatment *Treatment // of the default
	events    EventActions
	monitor   bool
	ends      bool     // the default or a rule may terminate
	need      Need     // of requests, whatever the session
	guarded   []uint32 // rules that need more, in some sessions
}

// rule is a Rule, checked and prepared. Its names are in the index.
type rule struct {
	name        string
	action      Action
	named       bool // has a condition on the host
	lists       []*List
	urls        bool       // some of lists are of URLs
	own         *Treatment // as the rule has it; nil: nothing
	treatment   *Treatment // with what the default adds; nil: nothing
	*conditions            // nil: none but that on the host
}

// New checks the rules and prepares them for [Table.Decide]. It copies what it
// keeps, but the lists. def is the action of a session that no rule matches. An
// error names the rule and the value.
func New(rules []Rule, def Action) (*Table, error) {
	if int(def) >= len(actionNames) {
		return nil, fmt.Errorf("default: unknown action %d", uint8(def))
	}
	t := &Table{rules: make([]rule, 0, len(rules)), def: def, ends: def.mayTerminate()}
	names := make(map[string]struct{}, len(rules))
	var exact, below []pattern
	for i := range rules {
		r := &rules[i]
		name := r.Name
		if name == "" {
			name = fmt.Sprintf("rule-%d", i+1)
		}
		if _, twice := names[name]; twice {
			return nil, fmt.Errorf("rule %q: another rule has the same name", name)
		}
		names[name] = struct{}{}
		p, err := prepare(name, r)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", name, err)
		}
		for _, h := range r.Host {
			var n hostName
			wild, err := n.pattern(h)
			if err != nil {
				return nil, fmt.Errorf("rule %q: %w", name, err)
			}
			to := &exact
			if wild {
				to = &below
			}
			*to = append(*to, pattern{slices.Clone(n.bytes()), uint32(i)})
		}
		t.rules = append(t.rules, p)
		t.ends = t.ends || r.Action.mayTerminate()
	}
	index, err := newIndex(t.rules, exact, below)
	if err != nil {
		return nil, fmt.Errorf("index rules: %w", err)
	}
	t.index = &index
	t.survey()
	return t, nil
}

// WithDefault returns a table with the same rules, in which sessions that no rule
// matches are treated as tr says, and those of a rule where it leaves it open.
func (t *Table) WithDefault(tr Treatment) *Table {
	c := *t
	c.treatment = tr.orElse(nil)
	c.rules = slices.Clone(t.rules)
	for i := range c.rules {
		r := &c.rules[i]
		if r.treatment = c.treatment; r.own != nil {
			r.treatment = r.own.orElse(c.treatment)
		}
	}
	return &c
}

// Monitor returns a table that decides the same and does nothing of it: whatever
// has or may have TLS is tunneled, nothing is terminated, and [Decision.Would] says
// what would have been done. It asks for no certificates.
func (t *Table) Monitor() *Table {
	c := *t
	c.monitor = true
	return &c
}

func prepare(name string, r *Rule) (rule, error) {
	if name == Default {
		return rule{}, fmt.Errorf("the name stands for the action when no rule matches")
	}
	if int(r.Action) >= len(actionNames) {
		return rule{}, fmt.Errorf("unknown action %d", uint8(r.Action))
	}
	p := rule{
		name: name, action: r.Action, named: len(r.Host)+len(r.Category) > 0,
		lists: slices.Clone(r.Category), own: r.Treatment.orElse(nil),
	}
	p.treatment = p.own
	if slices.Contains(p.lists, nil) {
		return rule{}, fmt.Errorf("category has no list")
	}
	var err error
	if p.conditions, err = newConditions(r); err != nil {
		return p, err
	}
	p.urls = slices.ContainsFunc(p.lists, (*List).URLs)
	return p, p.checkRequest()
}

// Terminates reports whether there are facts of which [Table.Decide] says terminate, or
// tunnel-check, which may come to it.
func (t *Table) Terminates() bool {
	if t.monitor {
		return false
	}
	for _, a := range t.events {
		if a.mayTerminate() {
			return true
		}
	}
	return t.ends
}

// Decide returns the action of the first rule that matches the facts, or the
// default, unless an event decides. It borrows f until it returns, and allocates
// nothing unless a name in f is not ASCII or ends like an address, or a certificate
// is to be looked at. Its cost depends on how many rules can match, not on how many
// there are, unless the host is in doubt.
func (t *Table) Decide(f *Facts) Decision {
	d := t.match(f)
	events := d.weighs(f.Events)
	if e, ok := t.event(events); ok && d.Action != Terminate {
		d.decide(e, t.events[e])
	} else if events.Has(TunnelUnproven) {
		d.decide(TunnelUnproven, Bump)
	}
	if t.monitor {
		d.Claim = NoClaim
		d.Monitored, d.Would, d.Pending = true, d.Action, false
		if d.Action != Bump || f.TLS {
			d.Action = Tunnel
		}
	}
	return d
}

// weighs returns the events that may change a decision. Whether a tunnel is proven does
// not matter to another one.
func (d *Decision) weighs(events Events) Events {
	if d.Action != Tunnel || d.Claim == NoClaim {
		return events.without(TunnelUnproven)
	}
	return events
}

// decide has an event decide.
func (d *Decision) decide(e Event, a Action) {
	d.Rule, d.Action, d.Claim = eventRules[e], a, NoClaim
	d.Pending = d.Pending && a != Terminate
}

// match finds the first rule that matches.
func (t *Table) match(f *Facts) Decision {
	var s subject
	s.set(f, t.index.named())
	none := uint32(len(t.rules))
	best := none
	terminates, others := none, none // first rules that a certificate may let match
	t.index.search(&s, func(rules []uint32) {
		for _, number := range rules {
			if number >= best {
				return
			}
			r := &t.rules[number]
			switch r.mismatch(&s, true) {
			case matched:
				best = number
				return
			case onCertificate:
				if r.action == Terminate {
					terminates = min(terminates, number)
				} else {
					others = min(others, number)
				}
			}
		}
	})
	if f.HostDoubt {
		best = t.doubtful(&s, best)
	}
	d := Decision{Rule: Default, Action: t.def, Treatment: t.treatment}
	if best < none {
		r := &t.rules[best]
		d = Decision{Rule: r.name, Action: r.action, Treatment: r.treatment, Claim: t.claim(&s, best)}
	}
	// Nobody is asked where the answer can be none but terminate.
	d.Pending = others < best || terminates < best && d.Action != Terminate
	return d
}

// claim returns on which name a rule that matches has a session tunneled.
func (t *Table) claim(s *subject, number uint32) Claim {
	r := &t.rules[number]
	switch {
	case !r.named, r.action != Tunnel && r.action != TunnelCheck, r.conditions != nil && len(r.origin) > 0:
		return NoClaim
	case s.sni.length == 0:
		return HostClaim
	case s.host.length == 0:
		return SNIClaim
	}
	hostOnly := subject{facts: s.facts, host: s.host}
	if t.index.meets(&hostOnly, number) {
		return HostClaim
	}
	return SNIClaim
}

// doubtful returns the first rule before best that terminates the session if a host in
// doubt is one of the rule's; best if there is none.
func (t *Table) doubtful(s *subject, best uint32) uint32 {
	for i := range t.rules[:best] {
		r := &t.rules[i]
		if r.inDoubt(s.facts) && r.mismatch(s, true) == matched {
			return uint32(i)
		}
	}
	return best
}

// inDoubt reports whether the rule takes its condition on the host for met because
// the host is in doubt.
func (r *rule) inDoubt(f *Facts) bool { return f.HostDoubt && r.named && r.action == Terminate }

// subject is the facts in the form in which rules compare them.
type subject struct {
	facts          *Facts
	client, origin netip.Addr
	sni, host      hostName
	named          hostName // by the request
}

// target is the host of the request.
func (s *subject) target() *hostName {
	for _, n := range []*hostName{&s.named, &s.host} {
		if n.length > 0 {
			return n
		}
	}
	return &s.sni
}

func (s *subject) set(f *Facts, names bool) {
	s.facts = f
	s.client = f.Client.Addr().Unmap().WithZone("")
	s.origin = f.Origin.Addr().Unmap().WithZone("")
	if names {
		s.sni.set(f.SNI)
		s.host.set(f.Host)
		if f.Request != nil && f.Request.Host != "" {
			s.named.set(f.Request.Host)
		}
	}
}
