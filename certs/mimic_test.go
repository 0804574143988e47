package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidSCT = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
)

func subject(name pkix.Name) edit { return func(c *x509.Certificate) { c.Subject = name } }

// The rules of a forged leaf. Every row forges one leaf and looks at one rule;
// the rules that always hold are looked at in every row.
func TestForgedLeaf(t *testing.T) {
	long := strings.Repeat("n", 65)
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprintf("host-%d.example.com", i)
	}
	for _, row := range []struct {
		name      string
		origin    []edit
		host      string // default testHost
		rsa       bool
		untrusted bool
		lifetime  time.Duration
		check     func(t *testing.T, leaf, origin *x509.Certificate)
	}{
		{name: "subject octet for octet", origin: []edit{subject(pkix.Name{CommonName: testHost, Country: []string{"SE"}, Organization: []string{"Büro AB"}})},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				if !bytes.Equal(leaf.RawSubject, origin.RawSubject) {
					t.Errorf("subject %s, want %s", leaf.Subject, origin.Subject)
				}
			}},
		{name: "names in their order", origin: []edit{asLeaf(testHost, "*.example.com", "192.0.2.7", "2001:db8::7")},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				if diff := cmp.Diff(origin.DNSNames, leaf.DNSNames); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(origin.IPAddresses, leaf.IPAddresses); diff != "" {
					t.Error(diff)
				}
			}},
		{name: "no name is added", host: "not.in.the.certificate.example",
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantNames(t, leaf, testHost) }},
		{name: "mail addresses and URIs left out", origin: []edit{func(c *x509.Certificate) { c.EmailAddresses = []string{"root@example.com"} }},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				wantNames(t, leaf, testHost)
				if leaf.EmailAddresses != nil {
					t.Errorf("mail addresses %v", leaf.EmailAddresses)
				}
			}},
		{name: "public suffix wildcard left out", origin: []edit{asLeaf("*.co.uk", "example.co.uk", "*.com", "*.github.io")},
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantNames(t, leaf, "example.co.uk", "*.github.io") }},
		{name: "common name of 64 octets kept", origin: []edit{subject(pkix.Name{CommonName: long[1:]})},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				if leaf.Subject.CommonName != long[1:] {
					t.Errorf("common name %q", leaf.Subject.CommonName)
				}
			}},
		{name: "common name of 65 octets dropped, the rest kept", origin: []edit{subject(pkix.Name{CommonName: long, Organization: []string{"Kept"}})},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				if leaf.Subject.CommonName != "" || !slices.Equal(leaf.Subject.Organization, []string{"Kept"}) {
					t.Errorf("subject %s", leaf.Subject)
				}
			}},
		{name: "names critical when the subject becomes empty", origin: []edit{subject(pkix.Name{CommonName: long})},
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantCriticalNames(t, leaf, true) }},
		{name: "names critical when the subject is empty", origin: []edit{subject(pkix.Name{})},
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantCriticalNames(t, leaf, true) }},
		{name: "names not critical beside a subject",
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantCriticalNames(t, leaf, false) }},
		{name: "huge subject left out", origin: []edit{subject(pkix.Name{Organization: []string{strings.Repeat("o", 5000)}})},
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantCriticalNames(t, leaf, true) }},
		{name: "of a thousand names the right ones", origin: []edit{asLeaf(many...)}, host: "host-900.example.com",
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				if len(leaf.DNSNames) != maxLeafNames || leaf.DNSNames[0] != "host-900.example.com" {
					t.Errorf("%d names, first %q", len(leaf.DNSNames), leaf.DNSNames[0])
				}
			}},
		{name: "of a thousand addresses the right ones", origin: []edit{func(c *x509.Certificate) {
			for i := range 1000 {
				c.IPAddresses = append(c.IPAddresses, net.IPv4(10, 0, byte(i>>8), byte(i)).To4())
			}
		}}, host: "10.0.3.132",
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				if len(leaf.IPAddresses)+len(leaf.DNSNames) > maxLeafNames || !leaf.IPAddresses[0].Equal(net.IPv4(10, 0, 3, 132)) {
					t.Errorf("%d addresses, first %v", len(leaf.IPAddresses), leaf.IPAddresses[0])
				}
			}},
		{name: "common name only stays common name only", origin: []edit{noNames}, untrusted: true,
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				if hasExtension(leaf, oidSAN) || leaf.Subject.CommonName != testHost {
					t.Errorf("subject %s, names %v", leaf.Subject, leaf.DNSNames)
				}
			}},

		{name: "lifetime of a day, backdated an hour",
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantValid(t, leaf, -time.Hour, day) }},
		{name: "longest lifetime", lifetime: maxLeafSpan - backdate, origin: []edit{valid(-day, 365*day)},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				wantValid(t, leaf, -time.Hour, maxLeafSpan-time.Hour)
			}},
		{name: "origin ends earlier", origin: []edit{valid(-day, time.Hour)},
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantValid(t, leaf, -time.Hour, time.Hour) }},
		{name: "origin started just now", origin: []edit{valid(-time.Minute, day/2)},
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantValid(t, leaf, -time.Minute, day/2) }},
		{name: "expired origin stays expired", origin: []edit{valid(-90*day, -2*day)}, untrusted: true,
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantValid(t, leaf, -3*day, -2*day) }},
		{name: "origin not yet valid stays so", origin: []edit{valid(2*day, 90*day)}, untrusted: true,
			check: func(t *testing.T, leaf, origin *x509.Certificate) { wantValid(t, leaf, 2*day, 3*day) }},

		{name: "P-256 key signs",
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
				if !ok || key.Curve != elliptic.P256() || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
					t.Errorf("key %T, usage %b", leaf.PublicKey, leaf.KeyUsage)
				}
			}},
		{name: "RSA key for clients without ECDSA", rsa: true,
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				key, ok := leaf.PublicKey.(*rsa.PublicKey)
				if !ok || key.N.BitLen() != 2048 || leaf.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment {
					t.Errorf("key %T, usage %b", leaf.PublicKey, leaf.KeyUsage)
				}
			}},
		{name: "key usage not copied", untrusted: true, origin: []edit{usage(x509.KeyUsageCertSign, x509.ExtKeyUsageClientAuth)},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {
				if leaf.KeyUsage != x509.KeyUsageDigitalSignature {
					t.Errorf("usage %b", leaf.KeyUsage)
				}
			}},
		{name: "CA certificate mimicked as a leaf", untrusted: true, origin: []edit{func(c *x509.Certificate) { c.IsCA = true }},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {}},
		{name: "issuer's services not copied", origin: []edit{
			func(c *x509.Certificate) {
				c.OCSPServer = []string{"http://ocsp.example.com"}
				c.IssuingCertificateURL = []string{"http://aia.example.com"}
				c.CRLDistributionPoints = []string{"http://crl.example.com"}
			},
			extension(false, oidSCT, 4, 0), mustStaple,
		},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {}},
		{name: "unknown critical extension not copied", untrusted: true, origin: []edit{extension(true, asn1.ObjectIdentifier{1, 3, 9999, 1}, 5, 0)},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {}},
		{name: "subject of the authority", origin: []edit{subject(pkix.Name{CommonName: "Test Inspection"})},
			check: func(t *testing.T, leaf, origin *x509.Certificate) {}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPKI(t)
			f := testForger(t, func(cfg *ForgerConfig) { cfg.Lifetime = row.lifetime })
			origin := p.leaf(t, row.origin...)
			if row.host == "" {
				row.host = testHost
			}
			forged := forge(t, f, p.chain(origin), row.host, !row.untrusted, !row.rsa)
			authority := f.trusted
			if row.untrusted {
				authority = f.untrusted
			}
			checkAlways(t, forged.Leaf, origin.cert, authority)
			if !bytes.Equal(forged.Certificate[0], forged.Leaf.Raw) || len(forged.Certificate) != 1 {
				t.Errorf("%d certificates, the first not Leaf", len(forged.Certificate))
			}
			if !samePublicKey(forged.PrivateKey.(crypto.Signer).Public(), forged.Leaf.PublicKey) {
				t.Error("private key is not the leaf's")
			}
			row.check(t, forged.Leaf, origin.cert)
		})
	}
}

// checkAlways holds every forged leaf against what browsers ask of one.
func checkAlways(t *testing.T, leaf, origin *x509.Certificate, authority *Authority) {
	t.Helper()
	ca := authority.Certificate()
	if err := leaf.CheckSignatureFrom(ca); err != nil {
		t.Error(err)
	}
	if leaf.SignatureAlgorithm != x509.ECDSAWithSHA256 || leaf.Version != 3 {
		t.Errorf("signature %s, version %d", leaf.SignatureAlgorithm, leaf.Version)
	}
	if bits := leaf.SerialNumber.BitLen(); leaf.SerialNumber.Sign() <= 0 || bits > 128 || bits < 80 || leaf.SerialNumber.Cmp(origin.SerialNumber) == 0 {
		t.Errorf("serial number %x", leaf.SerialNumber)
	}
	if !bytes.Equal(leaf.AuthorityKeyId, ca.SubjectKeyId) || len(leaf.SubjectKeyId) == 0 || bytes.Equal(leaf.SubjectKeyId, ca.SubjectKeyId) {
		t.Errorf("key identifiers: authority %x, leaf %x, CA %x", leaf.AuthorityKeyId, leaf.SubjectKeyId, ca.SubjectKeyId)
	}
	if !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) || leaf.UnknownExtKeyUsage != nil {
		t.Errorf("extended key usage %v", leaf.ExtKeyUsage)
	}
	if leaf.IsCA || !leaf.BasicConstraintsValid {
		t.Error("basic constraints are not a leaf's")
	}
	if leaf.NotAfter.Sub(leaf.NotBefore) > 200*day || leaf.NotBefore.Before(origin.NotBefore) || leaf.NotAfter.After(origin.NotAfter) {
		t.Errorf("valid from %s to %s, origin from %s to %s", leaf.NotBefore, leaf.NotAfter, origin.NotBefore, origin.NotAfter)
	}
	for _, ext := range leaf.Extensions {
		switch id := ext.Id.String(); id {
		case "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.35", "2.5.29.37":
		default:
			t.Errorf("extension %s", id)
		}
	}
	for _, name := range leaf.DNSNames {
		if !slices.Contains(origin.DNSNames, name) {
			t.Errorf("name %q is not the origin's", name)
		}
	}
	if len(leaf.Subject.CommonName) > 64 {
		t.Errorf("common name of %d octets", len(leaf.Subject.CommonName))
	}
}

func wantNames(t *testing.T, leaf *x509.Certificate, names ...string) {
	t.Helper()
	if diff := cmp.Diff(names, leaf.DNSNames); diff != "" {
		t.Error(diff)
	}
}

func wantCriticalNames(t *testing.T, leaf *x509.Certificate, critical bool) {
	t.Helper()
	i := slices.IndexFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidSAN) })
	if i < 0 || leaf.Extensions[i].Critical != critical {
		t.Errorf("subject alternative name missing or critical is not %v", critical)
	}
	if empty := len(leaf.Subject.Names) == 0; empty != critical {
		t.Errorf("subject %s", leaf.Subject)
	}
}

func wantValid(t *testing.T, leaf *x509.Certificate, from, to time.Duration) {
	t.Helper()
	if !leaf.NotBefore.Equal(testNow.Add(from)) || !leaf.NotAfter.Equal(testNow.Add(to)) {
		t.Errorf("valid from %v to %v, want %v to %v", leaf.NotBefore.Sub(testNow), leaf.NotAfter.Sub(testNow), from, to)
	}
}

func TestForgeWithinAuthorityValidity(t *testing.T) {
	p := newPKI(t)
	inter := issue(t, p.root, ecKey(t), asCA("Young"), valid(-10*time.Minute, 3*time.Hour))
	authority, err := newAuthority([]*x509.Certificate{inter.cert, p.root.cert}, inter.key, testNow)
	if err != nil {
		t.Fatal(err)
	}
	f := testForger(t, func(cfg *ForgerConfig) { cfg.Trusted = authority })
	forged := forge(t, f, p.chain(p.leaf(t)), testHost, true, true)
	wantValid(t, forged.Leaf, -10*time.Minute, 3*time.Hour)
	if len(forged.Certificate) != 2 || !bytes.Equal(forged.Certificate[1], inter.cert.Raw) {
		t.Errorf("%d certificates sent, want leaf and intermediate", len(forged.Certificate))
	}
}

func TestForgeForName(t *testing.T) {
	f := testForger(t, nil)
	label := strings.Repeat("a", 60)
	for _, row := range []struct {
		host, common, dns, ip string
	}{
		{"www.example.com", "www.example.com", "www.example.com", ""},
		{"WWW.Example.COM.", "www.example.com", "www.example.com", ""},
		{"_dmarc.example.com", "_dmarc.example.com", "_dmarc.example.com", ""},
		{label + ".example.com", "", label + ".example.com", ""},
		{"192.0.2.7", "192.0.2.7", "", "192.0.2.7"},
		{"[2001:DB8::7]", "2001:db8::7", "", "2001:db8::7"},
		{"fe80::1%eth0", "fe80::1", "", "fe80::1"},
	} {
		leaf := forge(t, f, nil, row.host, true, true).Leaf
		if leaf.Subject.CommonName != row.common {
			t.Errorf("%s: common name %q, want %q", row.host, leaf.Subject.CommonName, row.common)
		}
		if row.dns != "" && (!slices.Equal(leaf.DNSNames, []string{row.dns}) || leaf.IPAddresses != nil) {
			t.Errorf("%s: names %v %v", row.host, leaf.DNSNames, leaf.IPAddresses)
		}
		if row.ip != "" && (leaf.DNSNames != nil || len(leaf.IPAddresses) != 1 || leaf.IPAddresses[0].String() != row.ip) {
			t.Errorf("%s: names %v %v", row.host, leaf.DNSNames, leaf.IPAddresses)
		}
	}
}

func TestSerialsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s := newSerial().String()
		if seen[s] {
			t.Fatalf("serial number %s twice", s)
		}
		seen[s] = true
	}
}
