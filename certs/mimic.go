package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

const (
	maxCommonName = 64        // octets (RFC 5280, Appendix A.1, ub-common-name)
	maxSubject    = 4096      // octets of DER; a longer subject is left out
	maxLeafNames  = 256       // subject alternative names of a leaf
	backdate      = time.Hour // how far a clock of a client may be late
)

var oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// mimic describes a leaf that shows what the origin's certificate shows, and
// nothing more. Of very many names it keeps those that cover name and as many
// others as there is room for.
func mimic(origin *x509.Certificate, name string) (*x509.Certificate, error) {
	subject, err := mimicSubject(origin.RawSubject)
	if err != nil {
		return nil, fmt.Errorf("mimic subject: %v", err)
	}
	dnsNames, addresses := mimicNames(origin, name)
	return &x509.Certificate{RawSubject: subject, DNSNames: dnsNames, IPAddresses: addresses}, nil
}

// templateForName describes a leaf for a name alone.
func templateForName(name string) (*x509.Certificate, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	template := new(x509.Certificate)
	if addr, err := netip.ParseAddr(name); err == nil {
		addr = addr.WithZone("").Unmap()
		template.IPAddresses = []net.IP{addr.AsSlice()}
		name = addr.String()
	} else {
		template.DNSNames = []string{name}
	}
	if len(name) <= maxCommonName {
		template.Subject = pkix.Name{CommonName: name}
	}
	return template, nil
}

// attribute is an AttributeTypeAndValue whose value stays as it is encoded.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type relativeNameSET []attribute

// mimicSubject returns the subject in DER without common names that are too
// long.
func mimicSubject(raw []byte) ([]byte, error) {
	if len(raw) > maxSubject {
		return asn1.Marshal([]relativeNameSET{})
	}
	var subject []relativeNameSET
	if rest, err := asn1.Unmarshal(raw, &subject); err != nil || len(rest) > 0 {
		return nil, errors.New("not a sequence of relative names")
	}
	long := func(a attribute) bool {
		return a.Type.Equal(oidCommonName) && len(a.Value.Bytes) > maxCommonName
	}
	if !slices.ContainsFunc(subject, func(set relativeNameSET) bool { return slices.ContainsFunc(set, long) }) {
		return raw, nil
	}
	kept := []relativeNameSET{}
	for _, set := range subject {
		if set = slices.DeleteFunc(set, long); len(set) > 0 {
			kept = append(kept, set)
		}
	}
	return asn1.Marshal(kept)
}

// mimicNames returns the origin's names without those that browsers refuse.
func mimicNames(origin *x509.Certificate, name string) ([]string, []net.IP) {
	dnsNames := slices.DeleteFunc(slices.Clone(origin.DNSNames), func(n string) bool {
		return n == "" || publicSuffixWildcard(n)
	})
	addresses := origin.IPAddresses
	if len(dnsNames)+len(addresses) <= maxLeafNames {
		return dnsNames, addresses
	}
	covers := func(c x509.Certificate) bool { return name != "" && c.VerifyHostname(name) == nil }
	dnsNames = matchingFirst(dnsNames, func(n string) bool {
		return covers(x509.Certificate{DNSNames: []string{n}})
	})
	addresses = matchingFirst(addresses, func(ip net.IP) bool {
		return covers(x509.Certificate{IPAddresses: []net.IP{ip}})
	})
	if len(addresses) > maxLeafNames/4 {
		addresses = addresses[:maxLeafNames/4]
	}
	return dnsNames[:min(len(dnsNames), maxLeafNames-len(addresses))], addresses
}

// matchingFirst returns a copy of s in which the elements that match come first.
func matchingFirst[E any](s []E, match func(E) bool) []E {
	var first, others []E
	for _, e := range s {
		if match(e) {
			first = append(first, e)
		} else {
			others = append(others, e)
		}
	}
	return append(first, others...)
}

// validity returns a leaf's dates: lifetime from now, backdated, within what
// origin (may be nil) and authority allow. Where the origin's certificate is
// itself out of date, the leaf shows the same fault, even if the authority did
// not exist at that time; trusted forbids that.
func validity(origin *x509.Certificate, authority *Authority, lifetime time.Duration, trusted bool, now time.Time) (notBefore, notAfter time.Time, err error) {
	authorityStart, authorityEnd := authority.validity()
	if now.Before(authorityStart) || !now.Before(authorityEnd) {
		return notBefore, notAfter, errors.New("authority is not valid now")
	}
	notBefore = latest(now.Add(-backdate), authorityStart)
	notAfter = earliest(now.Add(lifetime), authorityEnd)
	if origin == nil {
		return notBefore, notAfter, nil
	}
	current := !now.Before(origin.NotBefore) && now.Before(origin.NotAfter)
	switch {
	case current:
		return latest(notBefore, origin.NotBefore), earliest(notAfter, origin.NotAfter), nil
	case trusted:
		return notBefore, notAfter, errors.New("origin certificate is not valid now")
	case now.Before(origin.NotBefore):
		return origin.NotBefore, earliest(origin.NotBefore.Add(lifetime), origin.NotAfter), nil
	}
	return latest(origin.NotBefore, origin.NotAfter.Add(-lifetime)), origin.NotAfter, nil
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
