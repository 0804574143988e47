package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// Extensions that a forged leaf may have, and no other.
var leafExtensions = map[string]bool{
	"2.5.29.14": true, // subject key identifier
	"2.5.29.15": true, // key usage
	"2.5.29.17": true, // subject alternative name
	"2.5.29.19": true, // basic constraints
	"2.5.29.35": true, // authority key identifier
	"2.5.29.37": true, // extended key usage
}

// TestManyLeaves forges leaves after origins of every kind and holds each to the
// rules: 1,000, and 10,000 in a thorough run.
func TestManyLeaves(t *testing.T) {
	leaves := tempo.Of(1000, 10_000)
	p := newPKI(t)
	f := testForger(t, nil)
	random := rand.New(rand.NewPCG(1, 2))
	origins := make([]*x509.Certificate, 100)
	for i := range origins {
		names := []string{fmt.Sprintf("o%d.example.com", i), fmt.Sprintf("*.o%d.example.com", i)}
		for range random.IntN(5) {
			names = append(names, fmt.Sprintf("n%d.example.net", random.IntN(1000)), fmt.Sprintf("192.0.2.%d", random.IntN(256)))
		}
		origins[i] = p.leaf(t, asLeaf(names...),
			valid(-time.Duration(1+random.IntN(int(20*day)))*1, time.Duration(1+random.IntN(int(20*day)))+time.Minute),
			extension(false, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, 4, 1, 0),     // SCT list
			extension(false, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, 0x30, 3, 2, 1, 5),  // must-staple
			extension(false, asn1.ObjectIdentifier{2, 5, 29, 32}, 0x30, 6, 0x30, 4, 6, 2, 0x2a, 3), // policies
			func(c *x509.Certificate) {
				c.OCSPServer = []string{"http://ocsp.example"}
				c.IssuingCertificateURL = []string{"http://aia.example"}
				c.CRLDistributionPoints = []string{"http://crl.example"}
			}).cert
	}
	serials := make(map[string]bool, leaves)
	start, end := f.trusted.validity()
	for i := range leaves {
		origin := origins[i%len(origins)]
		ec := i%50 != 0 // RSA signs slower
		// The name is part of the cache's key: every leaf is a new one.
		leaf := forge(t, f, []*x509.Certificate{origin, p.inter.cert}, fmt.Sprintf("l%d.o%d.example.com", i, i%len(origins)), true, ec).Leaf
		serial := leaf.SerialNumber.String()
		switch {
		case serials[serial]:
			t.Fatalf("serial number %s twice", serial)
		case leaf.SerialNumber.Sign() <= 0 || leaf.SerialNumber.BitLen() > 128:
			t.Fatalf("serial number %s", serial)
		case leaf.NotBefore.Before(origin.NotBefore) || leaf.NotAfter.After(origin.NotAfter):
			t.Fatalf("valid from %v to %v, the origin from %v to %v", leaf.NotBefore, leaf.NotAfter, origin.NotBefore, origin.NotAfter)
		case leaf.NotBefore.Before(start) || leaf.NotAfter.After(end) || leaf.NotAfter.After(testNow.Add(defaultLeafLifetime)) || testNow.Before(leaf.NotBefore) || !testNow.Before(leaf.NotAfter):
			t.Fatalf("valid from %v to %v", leaf.NotBefore, leaf.NotAfter)
		case !subset(leaf.DNSNames, origin.DNSNames) || !subset(texts(leaf.IPAddresses), texts(origin.IPAddresses)):
			t.Fatalf("names %v %v, the origin's %v %v", leaf.DNSNames, leaf.IPAddresses, origin.DNSNames, origin.IPAddresses)
		case len(leaf.EmailAddresses)+len(leaf.URIs)+len(leaf.OCSPServer)+len(leaf.IssuingCertificateURL)+len(leaf.CRLDistributionPoints) > 0:
			t.Fatal("what belongs to the origin's issuer was copied")
		case bytes.Equal(leaf.SubjectKeyId, leaf.AuthorityKeyId) || !bytes.Equal(leaf.AuthorityKeyId, f.trusted.Certificate().SubjectKeyId):
			t.Fatalf("key identifiers %x of %x", leaf.SubjectKeyId, leaf.AuthorityKeyId)
		}
		serials[serial] = true
		for _, e := range leaf.Extensions {
			if !leafExtensions[e.Id.String()] {
				t.Fatalf("extension %s", e.Id)
			}
		}
		switch key := leaf.PublicKey.(type) {
		case *ecdsa.PublicKey:
			if !ec || key.Curve.Params().BitSize != 256 || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
				t.Fatalf("ECDSA %v, usage %b", key.Curve, leaf.KeyUsage)
			}
		case *rsa.PublicKey:
			if ec || key.N.BitLen() != 2048 || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
				t.Fatalf("RSA of %d bits, usage %b", key.N.BitLen(), leaf.KeyUsage)
			}
		}
		if i%100 == 0 {
			if err := leaf.CheckSignatureFrom(f.trusted.Certificate()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s := f.Stats(); s.Forged != uint64(leaves) {
		t.Errorf("%d leaves signed, want %d", s.Forged, leaves)
	}
}

func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

func texts(addresses []net.IP) (list []string) {
	for _, a := range addresses {
		list = append(list, a.String())
	}
	return list
}
