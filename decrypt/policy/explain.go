package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Step is what became of one rule in the way to a decision.
type Step struct {
	Rule    string
	Matched bool
	Action  Action // meaningful if Matched
	Why     string // the first condition that was not met, in words; "" if Matched

	// Met are the conditions of a rule that matched, with what met them; "" if it
	// has none.
	Met string

	// Pending tells that the rule asks for the origin's certificate, which is not
	// known yet, and meets all its other conditions.
	Pending bool
}

// String returns "NAME: why not" or "NAME: matches, ACTION".
func (s Step) String() string {
	if s.Matched {
		return fmt.Sprintf("%s: matches, %v", s.Rule, s.Action)
	}
	return s.Rule + ": " + s.Why
}

// Explain returns the rules in turn up to the one that matches the facts, which is
// the default if none does. If an event decides in its place, that is the last step.
func (t *Table) Explain(f *Facts) []Step {
	var s subject
	s.set(f, t.index.named())
	steps := t.explainRules(&s)
	d := t.match(f)
	events := d.weighs(f.Events)
	if e, ok := t.event(events); ok && d.Action != Terminate {
		steps = append(steps, Step{Rule: eventRules[e], Matched: true, Action: t.events[e]})
	} else if events.Has(TunnelUnproven) {
		steps = append(steps, Step{Rule: eventRules[TunnelUnproven], Matched: true, Action: Bump})
	}
	return steps
}

func (t *Table) explainRules(s *subject) (steps []Step) {
	for i := range t.rules {
		r := &t.rules[i]
		c := r.mismatch(s, !r.named || r.inDoubt(s.facts) || t.index.meets(s, uint32(i)))
		if c == matched {
			return append(steps, Step{Rule: r.name, Matched: true, Action: r.action, Met: r.met(s)})
		}
		steps = append(steps, Step{Rule: r.name, Why: r.why(c, s), Pending: c == onCertificate})
	}
	return append(steps, Step{Rule: Default, Matched: true, Action: t.def})
}

// meets reports whether s meets the condition on the host of a rule that has one.
func (x *index) meets(s *subject, number uint32) (met bool) {
	x.search(s, func(rules []uint32) {
		_, found := slices.BinarySearch(rules, number)
		met = met || found
	})
	return met
}

// why says how the facts fail the condition.
func (r *rule) why(c condition, s *subject) string {
	f := s.facts
	switch c {
	case onIntake:
		if f.Intake == "" {
			return "intake is not known"
		}
		return fmt.Sprintf("intake is %s, not %s", f.Intake, strings.Join(r.intake, ", "))
	case onProtocol:
		if f.Protocol == "" && !f.TLS {
			return "protocol is not known"
		}
		is := f.Protocol
		if f.TLS && is != "tls" {
			is = strings.TrimPrefix(is+" with tls", " with ")
		}
		return fmt.Sprintf("protocol is %s, not %s", is, strings.Join(r.protocol, ", "))
	case onPort:
		if f.Origin.Port() == 0 {
			return "port is not known"
		}
		return fmt.Sprintf("port is %d, not %s", f.Origin.Port(), join(r.port))
	case onOrigin:
		if !s.origin.IsValid() {
			return "origin is not known"
		}
		return fmt.Sprintf("origin is %v, not in %s", s.origin, join(r.origin))
	case onClient:
		if !s.client.IsValid() {
			return "client is not known"
		}
		return fmt.Sprintf("client is %v, not in %s", s.client, join(r.client))
	case onALPN:
		if len(f.ALPN) == 0 {
			return "client offers no alpn"
		}
		return fmt.Sprintf("client offers alpn %s, not %s", strings.Join(f.ALPN, ", "), strings.Join(r.alpn, ", "))
	case onJA4:
		if f.JA4 == "" {
			return "ja4 is not known"
		}
		return fmt.Sprintf("ja4 is %s, not %s", f.JA4, join(r.ja4))
	case onTime:
		if f.Time.IsZero() {
			return "time is not known"
		}
		return fmt.Sprintf("time is %s, not in %s", f.Time.Format("15:04 Mon MST"), join(r.time))
	case onHost:
		return s.whyHost(r)
	case onMethod, onPath, onRequest:
		return r.whyRequest(c, f.Request)
	case onOriginName, onIssuer:
		return r.whyCertificate(c, f)
	case onCertificate:
		return "the origin's certificate is not known yet: the origin is asked, and it is decided again"
	}
	return ""
}

func (s *subject) whyHost(r *rule) string {
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
	why := strings.Join(names, " and ") + " not among the rule's hosts"
	if len(r.lists) > 0 {
		categories := make([]string, len(r.lists))
		for i, l := range r.lists {
			categories[i] = l.name
		}
		why += ", nor in " + strings.Join(categories, ", ")
	}
	return why
}

func (r *rule) whyRequest(c condition, request *Request) string {
	switch {
	case c == onRequest:
		return "no request is known yet: it is decided again for each request of a session that is decrypted or plain"
	case c == onMethod:
		return fmt.Sprintf("method is %s, not %s", request.Method, few(r.request.method))
	case request.Doubt:
		return "servers may read the path in different ways, and only terminate may rely on it"
	}
	return fmt.Sprintf("path is %s, not %s", request.path, few(r.request.path))
}

func (r *rule) whyCertificate(c condition, f *Facts) string {
	cert := f.Certificate
	switch {
	case cert == nil || len(cert.Names)+len(cert.Issuers) == 0:
		return "no certificate of the origin is known"
	case !cert.counts(r.action):
		return "the origin's certificate is not trusted, and only terminate may rely on it"
	case c == onIssuer:
		return fmt.Sprintf("issuer is %s, not %s", few(cert.Issuers), few(r.certificate.issuer))
	}
	return fmt.Sprintf("the origin's certificate is for %s, not among the rule's names", few(cert.Names))
}

// few lists at most ten words.
func few(words []string) string {
	const most = 10
	list := strings.Join(words[:min(len(words), most)], ", ")
	if len(words) > most {
		list += fmt.Sprintf(", and %d more", len(words)-most)
	}
	return list
}

// join lists at most ten values.
func join[T fmt.Stringer](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.String()
	}
	return few(words)
}

// met names the conditions of a rule that s meets.
func (r *rule) met(s *subject) string {
	var words []string
	add := func(asked bool, format string, args ...any) {
		if asked {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	f := s.facts
	if r.named {
		sni, host := s.sni.bytes(), s.host.bytes()
		add(len(sni) > 0, "server name %s", sni)
		add(len(host) > 0 && string(host) != string(sni), "host %s", host)
		add(r.inDoubt(f), "a host in doubt")
	}
	if c := r.conditions; c != nil {
		add(len(c.intake) > 0, "intake %s", f.Intake)
		add(len(c.protocol) > 0, "protocol %s", strings.Join(c.protocol, ", "))
		add(len(c.port) > 0, "port %d", f.Origin.Port())
		add(len(c.origin) > 0, "origin %v", s.origin)
		add(len(c.client) > 0, "client %v", s.client)
		add(len(c.alpn) > 0, "alpn %s", strings.Join(f.ALPN, ", "))
		add(len(c.ja4) > 0, "ja4 %s", f.JA4)
		add(len(c.time) > 0, "time %s", f.Time.Format("15:04 Mon MST"))
		if f.Request != nil {
			add(len(c.request.method) > 0, "method %s", f.Request.Method)
			add(len(c.request.path) > 0, "path %s", f.Request.path)
			add(len(c.request.path) > 0 && f.Request.Doubt, "a path in doubt")
		}
		if f.Certificate != nil {
			add(len(c.certificate.names) > 0, "certificate for %s", few(f.Certificate.Names))
			add(len(c.certificate.issuer) > 0, "issuer %s", few(f.Certificate.Issuers))
		}
	}
	return strings.Join(words, "; ")
}
