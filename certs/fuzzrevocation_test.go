package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// FuzzOCSP reads altered responses: no panic, and none counts that nobody signed.
func FuzzOCSP(f *testing.F) {
	p := newPKI(f)
	leaf := p.leaf(f)
	signed := map[string]bool{}
	for _, s := range []stapled{
		{}, {status: ocsp.Revoked}, {status: ocsp.Unknown}, {by: delegate()}, {until: -time.Second},
		{by: func(_ testing.TB, issuer *node) (*node, bool) { return issuer, true }},
		{by: func(t testing.TB, _ *node) (*node, bool) { return issue(t, nil, ecKey(t), asResponder), true }},
		{edit: func(r *ocsp.Response) { r.SerialNumber = big.NewInt(5) }},
		{edit: func(r *ocsp.Response) {
			r.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 9999}, Value: []byte{5, 0}}}
		}},
	} {
		der := s.about(f, p.inter, leaf.cert.SerialNumber)
		f.Add(der)
		if response, err := ocsp.ParseResponse(der, nil); err == nil {
			signed[string(response.TBSResponseData)] = true
		}
	}
	f.Add(ocsp.UnauthorizedErrorResponse)
	f.Fuzz(func(t *testing.T, der []byte) {
		a, err := readOCSP(der, leaf.cert, p.inter.cert, testNow)
		if (err == nil) != (a.status != statusUnknown) {
			t.Errorf("%v with %v", a, err)
		}
		if err != nil {
			return
		}
		if response, err := ocsp.ParseResponse(der, nil); err != nil || !signed[string(response.TBSResponseData)] {
			t.Error("a response that nobody signed counts")
		}
		if !a.until.After(testNow) {
			t.Error("a response counts that ran out")
		}
	})
}

// FuzzCRL reads altered lists: no panic, no more memory than input, none counts
// that nobody signed, and crypto/x509 reads the same serial numbers.
func FuzzCRL(f *testing.F) {
	p := newPKI(f)
	leaf := p.leaf(f, pointsTo("http://crl.test/1"))
	serials := []*big.Int{big.NewInt(3), big.NewInt(128), new(big.Int).Lsh(big.NewInt(1), 159)}
	signed := map[string]bool{}
	for _, der := range [][]byte{
		crlOf(f, p.inter, nil), crlOf(f, p.inter, serials), crlOf(f, p.rsaRoot, serials),
		crlOf(f, p.inter, append(serials, leaf.cert.SerialNumber)),
		crlOf(f, p.inter, serials, scoped("http://crl.test/1", 1)), crlOf(f, p.inter, serials, scoped("", 4)),
		crlOf(f, p.inter, serials, func(l *x509.RevocationList) { l.RevokedCertificateEntries[0].ReasonCode = 4 }),
		crlOf(f, p.inter, serials, func(l *x509.RevocationList) { l.NextUpdate = time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC) }),
		bigCRL(f, p.inter, 2000),
	} {
		f.Add(der)
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			f.Fatal(err)
		}
		signed[string(list.RawTBSRevocationList)] = true
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		list, err := ParseCRL(der)
		if err != nil {
			return
		}
		if 16*len(list.revoked) > 4*len(der) {
			t.Errorf("%d serial numbers of %d octets", len(list.revoked), len(der))
		}
		other, err := x509.ParseRevocationList(der)
		if err == nil {
			if len(other.RevokedCertificateEntries) != len(list.revoked) {
				t.Errorf("%d serial numbers, crypto/x509 reads %d", len(list.revoked), len(other.RevokedCertificateEntries))
			}
			for _, entry := range other.RevokedCertificateEntries {
				if !list.lists(entry.SerialNumber) {
					t.Errorf("serial number %v not found", entry.SerialNumber)
				}
			}
		}
		for _, issuer := range []*x509.Certificate{p.inter.cert, p.rsaRoot.cert} {
			if list.checkIssuer(issuer) == nil && (err != nil || !signed[string(other.RawTBSRevocationList)]) {
				t.Error("a list that nobody signed counts")
			}
		}
		list.status(leaf.cert, testNow)
	})
}

// FuzzChain judges whole chains with what comes with them: no panic, and only
// leaves that were issued and not revoked are trusted.
func FuzzChain(f *testing.F) {
	p := newPKI(f)
	issued := map[string]bool{}
	add := func(state *x509.Certificate, chain []*x509.Certificate, staple []byte, host string) {
		var octets []byte
		for _, cert := range chain {
			octets = append(octets, cert.Raw...)
		}
		if len(octets) < 1<<16 {
			f.Add(octets, staple, host)
		}
		if state != nil {
			issued[string(state.RawTBSCertificate)] = true
		}
	}
	for _, o := range allOrigins() {
		host, state := o.state(f, p)
		chain := slices.DeleteFunc(state.PeerCertificates, func(c *x509.Certificate) bool { return c == nil || len(c.Raw) == 0 })
		if len(chain) > 0 {
			add(chain[0], chain, state.OCSPResponse, host)
		}
	}
	revoked := p.leaf(f)
	add(nil, p.chain(revoked), (&stapled{status: ocsp.Revoked}).about(f, p.inter, revoked.cert.SerialNumber), testHost)
	list, err := ParseCRL(crlOf(f, p.inter, []*big.Int{revoked.cert.SerialNumber}))
	if err != nil {
		f.Fatal(err)
	}
	judge := p.judgeOf(RevocationSoft, func(c *JudgeConfig) {
		c.Revocation.Fetcher = nil
		c.Revocation.CRLs = []*CRL{list}
	})
	f.Fuzz(func(t *testing.T, octets, staple []byte, host string) {
		chain, err := x509.ParseCertificates(octets)
		if err != nil || len(chain) == 0 {
			return
		}
		state := presenting(chain...)
		state.OCSPResponse = staple
		word, _, err := judge.Assess(t.Context(), host, state)
		if err == nil && !issued[string(chain[0].RawTBSCertificate)] {
			t.Errorf("altered or revoked leaf is trusted as %q", host)
		}
		if err != nil && ReasonOf(err) == "" {
			t.Errorf("refused without a reason: %v", err)
		}
		if err == nil && word == StatusRevoked {
			t.Error("trusted although revoked")
		}
	})
}
