package policy

import (
	"fmt"
	"strings"
)

// Step is what became of one rule in the way to a decision.
type Step struct {
	Rule    string
	Matched bool
	Action  Action // meaningful if Matched
	Why     string // the first condition that was not met, in words; "" if Matched
}

// String returns "NAME: why not" or "NAME: matches, ACTION".
func (s Step) String() string {
	if s.Matched {
		return fmt.Sprintf("%s: matches, %v", s.Rule, s.Action)
	}
	return s.Rule + ": " + s.Why
}

// Explain returns the rules that [Table.Decide] compares with the facts, in turn.
// The last step is the one that matched, which is the default's if no rule did.
func (t *Table) Explain(f *Facts) []Step {
	var s subject
	s.set(f, t.hosts)
	var steps []Step
	for i := range t.rules {
		r := &t.rules[i]
		c := r.mismatch(&s)
		if c == matched {
			return append(steps, Step{Rule: r.Name, Matched: true, Action: r.Action})
		}
		steps = append(steps, Step{Rule: r.Name, Why: r.why(c, &s)})
	}
	return append(steps, Step{Rule: Default, Matched: true, Action: t.def})
}

// why says how the facts fail the condition.
func (r *rule) why(c condition, s *subject) string {
	f := s.facts
	switch c {
	case onProtocol:
		if f.Protocol == "" && !f.TLS {
			return "protocol is not known"
		}
		is := f.Protocol
		if f.TLS && is != "tls" {
			is = strings.TrimPrefix(is+" with tls", " with ")
		}
		return fmt.Sprintf("protocol is %s, not %s", is, strings.Join(r.Protocol, ", "))
	case onPort:
		if f.Origin.Port() == 0 {
			return "port is not known"
		}
		return fmt.Sprintf("port is %d, not %s", f.Origin.Port(), join(r.Port))
	case onOrigin:
		if !s.origin.IsValid() {
			return "origin is not known"
		}
		return fmt.Sprintf("origin is %v, not in %s", s.origin, join(r.Origin))
	case onClient:
		if !s.client.IsValid() {
			return "client is not known"
		}
		return fmt.Sprintf("client is %v, not in %s", s.client, join(r.Client))
	case onALPN:
		if len(f.ALPN) == 0 {
			return "client offers no alpn"
		}
		return fmt.Sprintf("client offers alpn %s, not %s", strings.Join(f.ALPN, ", "), strings.Join(r.ALPN, ", "))
	case onHost:
		names := make([]string, 0, 2)
		if n := s.sni.bytes(); len(n) > 0 {
			names = append(names, "server name "+string(n))
		}
		if n := s.host.bytes(); len(n) > 0 {
			names = append(names, "host "+string(n))
		}
		if len(names) == 0 {
			return "no usable host name is known"
		}
		return strings.Join(names, " and ") + " not among the rule's hosts"
	}
	return ""
}

// join lists at most ten values.
func join[T fmt.Stringer](values []T) string {
	const most = 10
	var words []string
	for _, v := range values[:min(len(values), most)] {
		words = append(words, v.String())
	}
	if len(values) > most {
		words = append(words, fmt.Sprintf("and %d more", len(values)-most))
	}
	return strings.Join(words, ", ")
}
