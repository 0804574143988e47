package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Bounds on what an origin presents: what is beyond is not looked at further.
const (
	maxPresented = 64     // certificates
	maxNames     = 10_000 // subject alternative names of a leaf
	maxPath      = 10     // certificates of a path, leaf and root included
	maxSerial    = 20     // octets of a serial number (RFC 5280, Section 4.1.2.2)
)

// checkSize refuses what would take long to judge.
func checkSize(certs []*x509.Certificate) error {
	if len(certs) > maxPresented {
		return fmt.Errorf("%d certificates presented, want at most %d", len(certs), maxPresented)
	}
	leaf := certs[0]
	if n := len(leaf.DNSNames) + len(leaf.IPAddresses) + len(leaf.EmailAddresses) + len(leaf.URIs); n > maxNames {
		return fmt.Errorf("certificate for %d names, want at most %d", n, maxNames)
	}
	return nil
}

// checkSerials refuses serial numbers that RFC 5280, Section 4.1.2.2, forbids.
// Roots are the operator's choice and not asked.
func checkSerials(path []*x509.Certificate) error {
	for i, cert := range path {
		if i > 0 && selfIssued(cert) {
			continue
		}
		switch serial := cert.SerialNumber; {
		case serial.Sign() <= 0:
			return fmt.Errorf("%s has a serial number that is not positive", nameOf(cert))
		case serial.BitLen() > 8*maxSerial:
			return fmt.Errorf("%s has a serial number of more than %d octets", nameOf(cert), maxSerial)
		}
	}
	return nil
}

// checkConstraints refuses what crypto/x509 lets a path do: constraints where
// they mean nothing, issuers that may not sign certificates, and endless paths.
// One path without fault is enough.
func checkConstraints(leaf *x509.Certificate, chains [][]*x509.Certificate) error {
	if hasExtension(leaf, oidNameConstraints) {
		return errors.New("name constraints in a certificate that is not a CA certificate") // RFC 5280, Section 4.2.1.10
	}
	return anyPath(chains, func(chain []*x509.Certificate) error {
		if len(chain) > maxPath {
			return fmt.Errorf("path of %d certificates, want at most %d", len(chain), maxPath)
		}
		for _, issuer := range chain[1:] {
			if !usableForCertificates(issuer) {
				return fmt.Errorf("key usage of %s lacks keyCertSign", nameOf(issuer))
			}
			if slices.ContainsFunc(issuer.PermittedDNSDomains, leadingDot) || slices.ContainsFunc(issuer.ExcludedDNSDomains, leadingDot) {
				return fmt.Errorf("%s constrains names to a domain with a leading dot", nameOf(issuer))
			}
		}
		return nil
	})
}

func leadingDot(name string) bool { return strings.HasPrefix(name, ".") }

// anyPath returns nil if check finds no fault in at least one of chains, else the
// first fault.
func anyPath(chains [][]*x509.Certificate, check func([]*x509.Certificate) error) error {
	var first error
	for _, chain := range chains {
		err := check(chain)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// checkCommonName refuses a leaf whose common name looks like an IP address that
// the certificate is not for, or is not written as RFC 5952 and RFC 3986 have it:
// programs that still read common names could take it for another one (CA/Browser
// Forum BR 7.1.4.3). Other common names mean nothing.
func checkCommonName(leaf *x509.Certificate) error {
	name := leaf.Subject.CommonName
	if !looksLikeAddress(name) {
		return nil
	}
	for _, ip := range leaf.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok && addr.Unmap().String() == name {
			return nil
		}
	}
	return fmt.Errorf("the common name %.64q is an IP address that is not among its names", name)
}

// looksLikeAddress reports whether something takes s for an IP address: inet_aton
// does so with hexadecimal and octal numbers.
func looksLikeAddress(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if strings.Trim(s, "0123456789.") == "" {
		return strings.Contains(s, ".")
	}
	return len(s) > 2 && strings.EqualFold(s[:2], "0x") && strings.Trim(s[2:], "0123456789abcdefABCDEFxX.") == ""
}
