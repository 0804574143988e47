package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// TestSignLeafAsCreateCertificate holds what signLeaf encodes against what
// crypto/x509 makes of the same template, octet by octet. Signatures that are slow
// come with every fourth row in turn, in a thorough run with all.
func TestSignLeafAsCreateCertificate(t *testing.T) {
	key := func(k crypto.Signer, err error) leafKey {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		spki, err := x509.MarshalPKIXPublicKey(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		id, err := keyID(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		return leafKey{signer: k, spki: spki, id: id}
	}
	ec := func(c elliptic.Curve) leafKey { return key(ecdsa.GenerateKey(c, rand.Reader)) }
	rsaLeaf := key(rsa.GenerateKey(rand.Reader, 2048))
	many := func(c *x509.Certificate) {
		for i := range maxLeafNames {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("n%d.example.com", i))
		}
	}
	rows := []struct {
		name   string
		change func(c *x509.Certificate)
	}{
		{"plain", func(c *x509.Certificate) {}},
		{"wildcard and addresses", func(c *x509.Certificate) {
			c.DNSNames = []string{"*.example.com", "example.com"}
			c.IPAddresses = []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("192.0.2.2").To4(), net.ParseIP("2001:db8::1")}
		}},
		{"addresses alone", func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{net.IPv4(192, 0, 2, 1)} }},
		{"no name", func(c *x509.Certificate) { c.DNSNames = nil }},
		{"many names", many},
		{"long name", func(c *x509.Certificate) { c.DNSNames = []string{strings.Repeat("a.", 120) + "example"} }},
		{"subject", func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "Zwölf", Organization: []string{"A & B"}, Country: []string{"DE"}}
		}},
		{"empty subject", func(c *x509.Certificate) { c.Subject = pkix.Name{} }},
		{"subject as it was encoded", func(c *x509.Certificate) { c.RawSubject = []byte{0x30, 0} }},
		{"list of revoked ones", func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://crl.example/a?b=c"} }},
		{"two lists", func(c *x509.Certificate) {
			c.CRLDistributionPoints = []string{"http://crl.example/" + strings.Repeat("x", 200), "http://b.example"}
		}},
		{"before 1950", func(c *x509.Certificate) { c.NotBefore = time.Date(1949, 12, 31, 23, 59, 59, 0, time.UTC) }},
		{"1950", func(c *x509.Certificate) { c.NotBefore = time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"2049 elsewhere, 2050 here", func(c *x509.Certificate) {
			c.NotAfter = time.Date(2049, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600))
		}},
		{"fractions and zone", func(c *x509.Certificate) {
			c.NotAfter = time.Date(2030, 1, 2, 3, 4, 5, 678, time.FixedZone("", 7200))
		}},
		{"small serial", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0) }},
		{"serial with its top bit set", func(c *x509.Certificate) { c.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 127) }},
		{"name that is none", func(c *x509.Certificate) { c.DNSNames = []string{"bücher.example"} }},
		{"dates that are none", func(c *x509.Certificate) { c.NotAfter = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
	}
	turn := 0
	for _, signer := range []struct {
		name string
		key  leafKey
	}{
		{"P-256", ec(elliptic.P256())}, {"P-384", ec(elliptic.P384())}, {"P-521", ec(elliptic.P521())}, {"RSA", rsaLeaf},
	} {
		for _, identified := range []bool{true, false} {
			issuer := &x509.Certificate{
				SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Signer"}, NotBefore: testNow, NotAfter: testNow.Add(day),
				BasicConstraintsValid: true, IsCA: true, SubjectKeyId: signer.key.id,
			}
			raw, err := x509.CreateCertificate(rand.Reader, issuer, issuer, signer.key.signer.Public(), signer.key.signer)
			if err != nil {
				t.Fatal(err)
			}
			if issuer, err = x509.ParseCertificate(raw); err != nil {
				t.Fatal(err)
			}
			if !identified {
				issuer.SubjectKeyId = nil
			}
			a := &Authority{chain: []*x509.Certificate{issuer}, key: signer.key.signer}
			for _, leaf := range []leafKey{ec(elliptic.P256()), rsaLeaf} {
				for _, row := range rows {
					if turn++; turn%4 != 0 && signer.name != "P-256" && !tempo.Thorough() {
						continue
					}
					template := &x509.Certificate{
						SerialNumber: newSerial(), Subject: pkix.Name{CommonName: testHost}, DNSNames: []string{testHost},
						NotBefore: testNow, NotAfter: testNow.Add(day), BasicConstraintsValid: true,
						KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
						SubjectKeyId: leaf.id, AuthorityKeyId: issuer.SubjectKeyId,
					}
					if _, ok := leaf.signer.(*rsa.PrivateKey); ok {
						template.KeyUsage |= x509.KeyUsageKeyEncipherment
					}
					row.change(template)
					t.Run(fmt.Sprintf("%s/%T/%t/%s", signer.name, leaf.signer, identified, row.name), func(t *testing.T) {
						sameAsX509(t, template, a, leaf)
					})
				}
			}
		}
	}
}

func sameAsX509(t *testing.T, template *x509.Certificate, a *Authority, key leafKey) {
	want, wantErr := x509.CreateCertificate(rand.Reader, template, a.Certificate(), key.signer.Public(), a.key)
	got, err := signLeaf(template, a, key)
	if err != nil || wantErr != nil {
		if err == nil || wantErr == nil {
			t.Fatalf("we say %v, crypto/x509 says %v", err, wantErr)
		}
		return
	}
	ours, err := x509.ParseCertificate(got)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := x509.ParseCertificate(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ours.RawTBSCertificate, theirs.RawTBSCertificate) {
		t.Errorf("got  %x\nwant %x", ours.RawTBSCertificate, theirs.RawTBSCertificate)
	}
	if ours.SignatureAlgorithm != theirs.SignatureAlgorithm {
		t.Errorf("signed by %v, want %v", ours.SignatureAlgorithm, theirs.SignatureAlgorithm)
	}
	if err := ours.CheckSignatureFrom(a.Certificate()); err != nil {
		t.Error(err)
	}
}

func BenchmarkSignLeaf(b *testing.B) {
	p := newPKI(b)
	f := testForger(b, nil)
	chain := p.chain(p.leaf(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.sign(chain, testHost, true, true, testNow); err != nil {
			b.Fatal(err)
		}
	}
}
