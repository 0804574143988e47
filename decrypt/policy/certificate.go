package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Certificate is what the origin's certificate tells. It is immutable.
type Certificate struct {
	Names   []string // DNS names, with "*." as they are there, and addresses
	Issuers []string // names of the issuer: common name, organization, or all of it

	// Trusted tells that the certificate passed the judgement. What an origin
	// claims without proof meets a condition only in a rule that terminates: or
	// else anybody could write the name of a bank into a certificate to be left
	// alone.
	Trusted bool
}

// certificateCondition is a rule's condition on the origin's certificate.
type certificateCondition struct {
	names  hostSet
	issuer []string
}

func newCertificateCondition(r *Rule) (c certificateCondition, err error) {
	if c.names, err = newHostSet(r.OriginName); err != nil {
		return c, fmt.Errorf("origin_name: %w", err)
	}
	for parent, kind := range c.names {
		if _, rest, ok := strings.Cut(parent, "."); ok && kind&itself != 0 {
			c.names[rest] |= above
		}
	}
	c.issuer = slices.Clone(r.Issuer)
	if slices.Contains(c.issuer, "") {
		return c, fmt.Errorf("issuer %q is not a name", "")
	}
	return c, nil
}

func (c *certificateCondition) asks() bool { return len(c.names) > 0 || len(c.issuer) > 0 }

// mismatch is that of the rule's last conditions, for a rule of that action.
func (c *certificateCondition) mismatch(f *Facts, action Action) condition {
	switch cert := f.Certificate; {
	case cert == nil && f.TLS:
		return onCertificate
	case len(c.names) > 0 && !(cert.counts(action) && slices.ContainsFunc(cert.Names, c.nameMet)):
		return onOriginName
	case len(c.issuer) > 0 && !(cert.counts(action) && slices.ContainsFunc(cert.Issuers, c.issuerMet)):
		return onIssuer
	}
	return matched
}

// counts reports whether rules of an action may rely on the certificate.
func (c *Certificate) counts(action Action) bool {
	return c != nil && (c.Trusted || action == Terminate)
}

// nameMet reports whether a pattern stands for a name of a certificate. One with
// a star meets the patterns that stand for what it stands for, or for one name
// that it is valid for.
func (c *certificateCondition) nameMet(s string) bool {
	var n hostName
	base, wild := strings.CutPrefix(s, "*.")
	if !n.set(base) {
		return false
	}
	if !wild {
		return c.names.match(&n)
	}
	return c.names[string(n.bytes())]&(below|above) != 0 || c.names.matchBelow(&n)
}

func (c *certificateCondition) issuerMet(s string) bool {
	return slices.ContainsFunc(c.issuer, func(want string) bool { return strings.EqualFold(want, s) })
}
