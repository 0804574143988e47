package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// conditions are those of a rule beside its name, checked and prepared. A host
// condition is the index's.
type conditions struct {
	intake, protocol, alpn []string
	port                   []PortRange
	origin, client         []netip.Prefix
	ja4                    []fingerprint
	time                   []Period

	request     requestCondition
	certificate certificateCondition
}

// condition is a field of a rule, in the order in which they are compared.
type condition uint8

const (
	matched condition = iota // all conditions are met
	onIntake
	onProtocol
	onPort
	onOrigin
	onClient
	onALPN
	onJA4
	onTime
	onHost
	onMethod
	onPath
	onRequest // is not known yet, all else but the certificate is met
	onOriginName
	onIssuer
	onCertificate // is not known yet, all else is met
)

// newConditions checks the conditions of r; nil if it has none.
func newConditions(r *Rule) (*conditions, error) {
	var c conditions
	var err error
	if c.client, err = prefixes("client", r.Client); err != nil {
		return nil, err
	}
	if c.origin, err = prefixes("origin", r.Origin); err != nil {
		return nil, err
	}
	c.port = slices.Clone(r.Port)
	for _, ports := range c.port {
		if ports.First == 0 || ports.Last < ports.First {
			return nil, fmt.Errorf("port %v is not a range within 1 to 65535", ports)
		}
	}
	c.protocol, c.intake = slices.Clone(r.Protocol), slices.Clone(r.Intake)
	if slices.Contains(c.protocol, "") {
		return nil, fmt.Errorf("protocol %q is not a protocol", "")
	}
	if slices.Contains(c.intake, "") {
		return nil, fmt.Errorf("intake %q is not a name", "")
	}
	c.alpn = slices.Clone(r.ALPN)
	for _, id := range c.alpn {
		if id == "" || len(id) > 255 {
			return nil, fmt.Errorf("alpn %q is not an identifier of 1 to 255 octets", id)
		}
	}
	for _, s := range r.JA4 {
		f, err := newFingerprint(s)
		if err != nil {
			return nil, err
		}
		c.ja4 = append(c.ja4, f)
	}
	c.time = slices.Clone(r.Time)
	for _, p := range c.time {
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	if c.request, err = newRequestCondition(r); err != nil {
		return nil, err
	}
	if c.certificate, err = newCertificateCondition(r); err != nil {
		return nil, err
	}
	if c.none() {
		return nil, nil
	}
	return &c, nil
}

func (c *conditions) none() bool {
	return len(c.intake)+len(c.protocol)+len(c.alpn)+len(c.port)+len(c.origin)+len(c.client)+len(c.ja4)+len(c.time) == 0 &&
		!c.certificate.asks() && !c.request.asks()
}

// prefixes masks the prefixes and turns IPv4 in IPv6 into IPv4.
func prefixes(condition string, in []netip.Prefix) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(in))
	for _, p := range in {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if !p.IsValid() {
			return nil, fmt.Errorf("%s %v is not a prefix", condition, p)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// mismatch returns the first condition that is not met, and onCertificate if none
// is left but those on a certificate that is yet to be asked for. Whether the host
// condition is met is the caller's to say.
func (r *rule) mismatch(s *subject, hostMet bool) condition {
	c := r.conditions
	switch {
	case c == nil:
		return r.ofRequest(s, hostMet)
	case len(c.intake) > 0 && !slices.Contains(c.intake, s.facts.Intake):
		return onIntake
	case len(c.protocol) > 0 && !c.protocolMet(s.facts):
		return onProtocol
	case len(c.port) > 0 && !c.portMet(s.facts.Origin.Port()):
		return onPort
	case len(c.origin) > 0 && !contains(c.origin, s.origin):
		return onOrigin
	case len(c.client) > 0 && !contains(c.client, s.client):
		return onClient
	case len(c.alpn) > 0 && !c.alpnMet(s.facts.ALPN):
		return onALPN
	case len(c.ja4) > 0 && !c.ja4Met(s.facts.JA4):
		return onJA4
	case len(c.time) > 0 && !c.timeMet(s.facts.Time):
		return onTime
	}
	if met := r.ofRequest(s, hostMet); met != matched || !c.certificate.asks() {
		return met
	}
	return c.certificate.mismatch(s.facts, r.action)
}

// ofRequest is mismatch for the conditions on the host, on the method and on the path.
func (r *rule) ofRequest(s *subject, hostMet bool) condition {
	request := s.facts.Request
	switch {
	case !hostMet && r.urls && request == nil:
		return onRequest
	case !hostMet:
		return onHost
	case r.urls && request != nil && request.Doubt && r.action != Terminate:
		return onPath
	case r.conditions != nil && r.request.asks():
		return r.request.mismatch(request, r.action)
	}
	return matched
}

func (c *conditions) protocolMet(f *Facts) bool {
	for _, p := range c.protocol {
		if f.Protocol != "" && strings.EqualFold(p, f.Protocol) || f.TLS && strings.EqualFold(p, "tls") {
			return true
		}
	}
	return false
}

func (c *conditions) portMet(port uint16) bool {
	for _, ports := range c.port {
		if port >= ports.First && port <= ports.Last {
			return true
		}
	}
	return false
}

func (c *conditions) alpnMet(offered []string) bool {
	for _, id := range offered {
		if slices.Contains(c.alpn, id) {
			return true
		}
	}
	return false
}

func (c *conditions) ja4Met(ja4 string) bool {
	for i := range c.ja4 {
		if c.ja4[i].meets(ja4) {
			return true
		}
	}
	return false
}

func (c *conditions) timeMet(t time.Time) bool {
	for i := range c.time {
		if c.time[i].Covers(t) {
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
