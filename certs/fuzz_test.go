package certs

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

// FuzzAuthority reads PEM files: no panic, no key material in an error, and an
// authority only of a certificate with its own key.
func FuzzAuthority(f *testing.F) {
	p := newPKI(f)
	f.Add(certPEM(p.root), keyPEM(f, "PRIVATE KEY", p.root.key))
	f.Add(certPEM(p.inter, p.root), keyPEM(f, "EC PRIVATE KEY", p.inter.key))
	f.Add(certPEM(p.rsaRoot), keyPEM(f, "RSA PRIVATE KEY", p.rsaRoot.key))
	f.Add(keyPEM(f, "PRIVATE KEY", p.root.key), certPEM(p.root))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, certs, key []byte) {
		chain, err := parseCertificates(certs)
		if err == nil && len(chain) == 0 {
			t.Fatal("neither certificate nor error")
		}
		signer, err := parseKey(key)
		if err != nil {
			wantNoKey(t, err.Error(), key)
			return
		}
		if len(chain) == 0 || !samePublicKey(chain[0].PublicKey, signer.Public()) {
			return
		}
		a, err := newAuthority(chain, signer, testNow)
		if err != nil {
			wantNoKey(t, err.Error(), key)
			return
		}
		// It signs, without the keys of leaves, which take long to make.
		if list, err := NewRevocationList(a, nil); err == nil && list == nil {
			t.Fatal("neither list nor error")
		}
	})
}

// FuzzOrigin judges and mimics certificates that were altered: no panic, only
// unaltered leaves are trusted, and what is forged never leads to trust.
func FuzzOrigin(f *testing.F) {
	p := newPKI(f)
	good := p.leaf(f)
	f.Add(good.cert.Raw, p.inter.cert.Raw, testHost)
	f.Add([]byte{0x30, 0}, []byte{}, "")
	issued := map[string]bool{string(good.cert.RawTBSCertificate): true}
	for _, o := range allOrigins() {
		host, state := o.state(f, p)
		certs := state.PeerCertificates
		if len(certs) == 0 || certs[0] == nil {
			continue
		}
		f.Add(certs[0].Raw, certs[len(certs)-1].Raw, host)
		issued[string(certs[0].RawTBSCertificate)] = true
	}
	judge := p.judge()
	forger := testForger(f, nil)
	clients := x509.NewCertPool()
	clients.AddCert(forger.trusted.Certificate())

	f.Fuzz(func(t *testing.T, leafDER, issuerDER []byte, host string) {
		leaf, err := x509.ParseCertificate(leafDER)
		if err != nil {
			return
		}
		chain := []*x509.Certificate{leaf}
		if issuer, err := x509.ParseCertificate(issuerDER); err == nil {
			chain = append(chain, issuer)
		}
		chain = append(chain, p.inter.cert)
		state := &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: chain, OCSPResponse: []byte{1}}
		err = judge.Verify(t.Context(), host, state)
		if err == nil && !issued[string(leaf.RawTBSCertificate)] {
			t.Errorf("altered leaf is trusted as %q", host)
		}
		if err != nil && ReasonOf(err) == "" {
			t.Errorf("refused without a reason: %v", err)
		}
		forged, err := forger.Forge(t.Context(), chain, host, false, true)
		if err != nil {
			return
		}
		if forged.Leaf.IsCA {
			t.Error("forged a CA certificate")
		}
		if _, err := forged.Leaf.Verify(x509.VerifyOptions{Roots: clients, CurrentTime: testNow}); err == nil {
			t.Error("untrusted leaf leads to the trusted authority")
		}
	})
}
