package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// canonicalName lowers a server name and takes its trailing dot away, so that
// spellings of one name share a cache entry. Brackets around an IP address go.
func canonicalName(name string) string {
	name = strings.TrimSuffix(name, ".")
	if len(name) > 2 && name[0] == '[' && name[len(name)-1] == ']' {
		name = name[1 : len(name)-1]
	}
	return strings.ToLower(name)
}

// checkName returns an error unless name can stand in a certificate that was
// made for it alone: an IP address, or a DNS name in A-labels without a
// wildcard (RFC 5280, Section 4.2.1.6).
func checkName(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	if len(name) > 253 {
		return errors.New("server name longer than 253 octets")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return fmt.Errorf("server name %q has an empty or too long label", name)
		}
		for i := range len(label) {
			c := label[i]
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return fmt.Errorf("server name %q has an octet that host names do not have", name)
			}
		}
	}
	return nil
}

// publicSuffixWildcard reports whether a DNS name stands for every name below
// a suffix under which the public registers, such as *.co.uk. Suffixes that a
// company runs for its customers (*.github.io) do not count: the company may
// hold such a certificate.
func publicSuffixWildcard(dnsName string) bool {
	if dnsName == "*" || dnsName == "*." {
		return true
	}
	base, ok := strings.CutPrefix(canonicalName(dnsName), "*.")
	if !ok {
		return false
	}
	if suffix, icann := publicsuffix.PublicSuffix(base); icann && suffix == base {
		return true
	}
	// The list has wildcards itself: every name directly below ck is a suffix.
	below := "x." + base
	suffix, icann := publicsuffix.PublicSuffix(below)
	return icann && suffix == below
}

// matchName returns nil if the leaf's subject alternative names cover name,
// which is canonical. Wildcards over public suffixes and names that are not host
// names, with an underscore or an empty label, cover nothing (RFC 5280, Section
// 4.2.1.6).
func matchName(leaf *x509.Certificate, name string) error {
	if name == "" {
		return errors.New("no server name to compare the certificate with")
	}
	if err := leaf.VerifyHostname(name); err != nil {
		return err
	}
	if err := checkCommonName(leaf); err != nil {
		return err
	}
	void := func(dnsName string) bool { return publicSuffixWildcard(dnsName) || !hostName(dnsName) }
	if !slices.ContainsFunc(leaf.DNSNames, void) {
		return nil
	}
	kept := x509.Certificate{
		DNSNames:    slices.DeleteFunc(slices.Clone(leaf.DNSNames), void),
		IPAddresses: leaf.IPAddresses,
	}
	if kept.VerifyHostname(name) != nil {
		return fmt.Errorf("only a wildcard over a public suffix, or an invalid host name, covers %s", name)
	}
	return nil
}

// hostName reports whether a name of a certificate is in the preferred name
// syntax, a wildcard in front allowed.
func hostName(dnsName string) bool {
	name := strings.TrimPrefix(dnsName, "*.")
	return !strings.Contains(name, "_") && checkName(strings.ToLower(name)) == nil
}
