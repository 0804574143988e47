package certs

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/md5"
	"crypto/rand"
	_ "crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

var _ interface { // package decrypt's Verifier
	Verify(context.Context, string, *tls.ConnectionState) error
} = (*Judge)(nil)

// origin is one row of the matrix: what an origin presents.
type origin struct {
	name    string
	want    Reason // "" for an origin that may be trusted
	present func(t testing.TB, p *pki) []*x509.Certificate
	host    string // default testHost
	version uint16 // default TLS 1.3
	staple  *stapled
}

// withLeaf presents a leaf under the intermediate.
func withLeaf(edits ...edit) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate { return p.chain(p.leaf(t, edits...)) }
}

// withInter presents a good leaf under an intermediate of its own.
func withInter(edits ...edit) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.root, ecKey(t), append([]edit{asCA("Odd Intermediate")}, edits...)...)
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf(testHost)).cert, inter.cert}
	}
}

// withRoot presents a good leaf under a trusted root of its own.
func withRoot(key func(testing.TB) crypto.Signer, edits ...edit) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		root := p.trusted(t, key(t), edits...)
		return []*x509.Certificate{issue(t, root, ecKey(t), asLeaf(testHost)).cert}
	}
}

func withKey(key func(testing.TB) crypto.Signer) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		return p.chain(issue(t, p.inter, key(t), asLeaf(testHost)))
	}
}

func withSelf(edits ...edit) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		return []*x509.Certificate{issue(t, nil, ecKey(t), append([]edit{asLeaf(testHost)}, edits...)...).cert}
	}
}

func ecdsaOf(curve elliptic.Curve) func(testing.TB) crypto.Signer {
	return func(t testing.TB) crypto.Signer { return ecKey(t, curve) }
}

func rsaOf(bits int) func(testing.TB) crypto.Signer {
	return func(t testing.TB) crypto.Signer { return rsaKey(t, bits) }
}

func ed25519Key(t testing.TB) crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signedWith presents a leaf under the RSA root with another signature.
func signedWith(hash crypto.Hash, oid byte, edits ...edit) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		leaf := issue(t, p.rsaRoot, ecKey(t), append([]edit{asLeaf(testHost)}, edits...)...)
		return []*x509.Certificate{resign(t, leaf.cert, rsaKey(t, 2048), hash, rsaOID(11), rsaOID(oid))}
	}
}

func usage(ku x509.KeyUsage, eku ...x509.ExtKeyUsage) edit {
	return func(c *x509.Certificate) { c.KeyUsage, c.ExtKeyUsage = ku, eku }
}

func noNames(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }

const digitalSignature = x509.KeyUsageDigitalSignature

var mustStaple = extension(false, oidTLSFeature, 0x30, 3, 2, 1, 5)

var goodOrigins = []origin{
	{name: "leaf and intermediate", present: withLeaf()},
	{name: "TLS 1.2", present: withLeaf(), version: tls.VersionTLS12},
	{name: "trailing dot", present: withLeaf(), host: testHost + "."},
	{name: "upper case", present: withLeaf(), host: "WWW.EXAMPLE.COM"},
	{name: "wildcard", present: withLeaf(asLeaf("*.example.com"))},
	{name: "wildcard of a company's suffix", present: withLeaf(asLeaf("*.github.io")), host: "x.github.io"},
	{name: "wildcard of an unlisted suffix", present: withLeaf(asLeaf("*.lan")), host: "nas.lan"},
	{name: "public suffix wildcard beside the exact name", present: withLeaf(asLeaf("*.com", "example.com")), host: "example.com"},
	{name: "IPv4", present: withLeaf(asLeaf("192.0.2.7")), host: "192.0.2.7"},
	{name: "IPv6", present: withLeaf(asLeaf("2001:db8::7")), host: "2001:db8:0::7"},
	{name: "IPv6 in brackets", present: withLeaf(asLeaf("2001:db8::7")), host: "[2001:db8::7]"},
	{name: "P-384", present: withKey(ecdsaOf(elliptic.P384()))},
	{name: "P-521", present: withKey(ecdsaOf(elliptic.P521()))},
	{name: "Ed25519", present: withKey(ed25519Key)},
	{name: "RSA 2048", present: withKey(rsaOf(2048))},
	{name: "staple where one is demanded", present: withLeaf(mustStaple), staple: &stapled{}},
	{name: "other TLS feature", present: withLeaf(extension(false, oidTLSFeature, 0x30, 3, 2, 1, 17))},
	{name: "no key usage", present: withLeaf(usage(0, x509.ExtKeyUsageServerAuth))},
	{name: "client and server", present: withLeaf(usage(digitalSignature, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth))},
	{name: "name within constraints", present: withInter(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })},
	{name: "root presented as well", present: func(t testing.TB, p *pki) []*x509.Certificate {
		return append(p.chain(p.leaf(t)), p.root.cert)
	}},
	{name: "stray certificates", present: func(t testing.TB, p *pki) []*x509.Certificate {
		stray := issue(t, nil, rsaKey(t, 1024), asCA("Stray"), valid(-9*day, -8*day))
		return append(p.chain(p.leaf(t)), stray.cert, p.leaf(t).cert)
	}},
	{name: "root signed with SHA-1", present: func(t testing.TB, p *pki) []*x509.Certificate {
		root := issue(t, nil, rsaKey(t, 2048), asCA("Old Root"))
		p.roots.AddCert(resign(t, root.cert, rsaKey(t, 2048), crypto.SHA1, rsaOID(11), rsaOID(5)))
		return []*x509.Certificate{issue(t, root, ecKey(t), asLeaf(testHost)).cert}
	}},
	{name: "weak root beside a strong one", present: func(t testing.TB, p *pki) []*x509.Certificate {
		// One intermediate, certified by two roots.
		weak := p.trusted(t, rsaKey(t, 1024), asCA("Weak Root"))
		cross := issue(t, weak, p.inter.key, asCA("Test Intermediate"))
		return append(p.chain(p.leaf(t)), cross.cert)
	}},
}

var faultyOrigins = []origin{
	{name: "no certificate", want: Malformed, present: func(testing.TB, *pki) []*x509.Certificate { return nil }},
	{name: "unparsed certificate", want: Malformed, present: func(testing.TB, *pki) []*x509.Certificate { return []*x509.Certificate{{}} }},
	{name: "nil certificate", want: Malformed, present: func(testing.TB, *pki) []*x509.Certificate { return []*x509.Certificate{nil} }},
	{name: "unknown critical extension", want: Malformed, present: withLeaf(extension(true, asn1.ObjectIdentifier{1, 3, 9999, 1}, 5, 0))},

	{name: "leaf of our authority", want: OwnAuthority, present: func(t testing.TB, p *pki) []*x509.Certificate {
		return []*x509.Certificate{issue(t, p.own, ecKey(t), asLeaf(testHost)).cert}
	}},
	{name: "our authority itself", want: OwnAuthority, present: func(t testing.TB, p *pki) []*x509.Certificate {
		return []*x509.Certificate{p.own.cert}
	}},
	{name: "our authority in the system's store", want: OwnAuthority, present: func(t testing.TB, p *pki) []*x509.Certificate {
		p.roots.AddCert(p.own.cert)
		return []*x509.Certificate{issue(t, p.own, ecKey(t), asLeaf(testHost)).cert}
	}},
	{name: "intermediate of our authority", want: OwnAuthority, present: func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.own, ecKey(t), asCA("Ours below"))
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf(testHost)).cert, inter.cert}
	}},
	{name: "one of several paths leads to our authority", want: OwnAuthority, present: func(t testing.TB, p *pki) []*x509.Certificate {
		p.roots.AddCert(p.own.cert)
		ours := issue(t, p.own, p.inter.key, asCA("Test Intermediate"))
		return append(p.chain(p.leaf(t)), ours.cert)
	}},
	{name: "our key under another root", want: OwnAuthority, present: func(t testing.TB, p *pki) []*x509.Certificate {
		cross := issue(t, p.root, p.own.key, asCA("Other name"))
		return []*x509.Certificate{issue(t, cross, ecKey(t), asLeaf(testHost)).cert, cross.cert}
	}},
	{name: "expired leaf of our authority", want: OwnAuthority, present: func(t testing.TB, p *pki) []*x509.Certificate {
		return []*x509.Certificate{issue(t, p.own, ecKey(t), asLeaf(testHost), valid(-9*day, -8*day)).cert}
	}},

	{name: "TLS 1.0", want: TLSVersion, present: withLeaf(), version: tls.VersionTLS10},
	{name: "TLS 1.1 and expired", want: TLSVersion, present: withLeaf(valid(-9*day, -8*day)), version: tls.VersionTLS11},

	{name: "leaf signed with SHA-1", want: WeakSignature, present: signedWith(crypto.SHA1, 5)},
	{name: "leaf signed with MD5", want: WeakSignature, present: signedWith(crypto.MD5, 4)},
	{name: "leaf signed with an unknown algorithm", want: WeakSignature, present: signedWith(crypto.SHA224, 14)},
	{name: "SHA-1 and expired", want: WeakSignature, present: signedWith(crypto.SHA1, 5, valid(-9*day, -8*day))},
	{name: "intermediate signed with SHA-1", want: WeakSignature, present: func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.rsaRoot, ecKey(t), asCA("SHA-1 Intermediate"))
		weak := resign(t, inter.cert, rsaKey(t, 2048), crypto.SHA1, rsaOID(11), rsaOID(5))
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf(testHost)).cert, weak}
	}},

	{name: "self-signed", want: SelfSigned, present: withSelf()},
	{name: "self-signed and expired", want: SelfSigned, present: withSelf(valid(-9*day, -8*day))},
	{name: "self-signed for another name", want: SelfSigned, present: withSelf(asLeaf("other.example.com"))},
	{name: "self-signed CA certificate", want: SelfSigned, present: withSelf(asCA(testHost))},
	{name: "self-signed with SHA-1", want: SelfSigned, present: func(t testing.TB, p *pki) []*x509.Certificate {
		self := issue(t, nil, rsaKey(t, 2048), asLeaf(testHost))
		return []*x509.Certificate{resign(t, self.cert, rsaKey(t, 2048), crypto.SHA1, rsaOID(11), rsaOID(5))}
	}},

	{name: "RSA 1024 in the leaf", want: WeakKey, present: withKey(rsaOf(1024))},
	{name: "RSA 2052 in the leaf", want: WeakKey, present: withKey(rsaOf(2052))},
	{name: "P-224 in the leaf", want: WeakKey, present: withKey(ecdsaOf(elliptic.P224()))},
	{name: "unknown kind of key in the leaf", want: WeakKey, present: func(t testing.TB, p *pki) []*x509.Certificate {
		return []*x509.Certificate{oddKeyLeaf(t, p)}
	}},
	{name: "RSA 1024 in the root", want: WeakKey, present: withRoot(rsaOf(1024))},
	{name: "RSA 2052 in the root", want: WeakKey, present: withRoot(rsaOf(2052))},
	{name: "RSA 1024 in the intermediate", want: WeakKey, present: func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.root, rsaKey(t, 1024), asCA("Weak Intermediate"))
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf(testHost)).cert, inter.cert}
	}},
	{name: "RSA 512 in the intermediate", want: WeakKey, present: func(t testing.TB, p *pki) (chain []*x509.Certificate) {
		inter := issue(t, p.root, rsaKey(t, 512), asCA("Tiny Intermediate"))
		allowTinyRSA(t, func() {
			chain = []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf(testHost)).cert, inter.cert}
		})
		return chain
	}},
	{name: "RSA 1024 and expired", want: WeakKey, present: func(t testing.TB, p *pki) []*x509.Certificate {
		return p.chain(issue(t, p.inter, rsaKey(t, 1024), asLeaf(testHost), valid(-9*day, -8*day)))
	}},

	{name: "leaf signed by a leaf", want: Constraint, present: func(t testing.TB, p *pki) []*x509.Certificate {
		issuer := p.leaf(t, asLeaf("evil.example.net"))
		return []*x509.Certificate{issue(t, issuer, ecKey(t), asLeaf(testHost)).cert, issuer.cert, p.inter.cert}
	}},
	{name: "path length exceeded", want: Constraint, present: func(t testing.TB, p *pki) []*x509.Certificate {
		short := issue(t, p.root, ecKey(t), asCA("Short"), func(c *x509.Certificate) { c.MaxPathLenZero = true })
		below := issue(t, short, ecKey(t), asCA("Below"))
		return []*x509.Certificate{issue(t, below, ecKey(t), asLeaf(testHost)).cert, below.cert, short.cert}
	}},
	{name: "name excluded by a constraint", want: Constraint, present: withInter(func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"example.com"} })},
	{name: "name not permitted by a constraint", want: Constraint, present: withInter(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.org"} })},

	{name: "unknown root", want: UnknownIssuer, present: func(t testing.TB, p *pki) []*x509.Certificate {
		root := issue(t, nil, ecKey(t), asCA("Unknown Root"))
		return []*x509.Certificate{issue(t, root, ecKey(t), asLeaf(testHost)).cert, root.cert}
	}},
	{name: "missing intermediate", want: UnknownIssuer, present: func(t testing.TB, p *pki) []*x509.Certificate {
		return []*x509.Certificate{p.leaf(t).cert}
	}},
	{name: "signature that does not verify", want: UnknownIssuer, present: func(t testing.TB, p *pki) []*x509.Certificate {
		der := append([]byte(nil), p.leaf(t).cert.Raw...)
		der[len(der)-5] ^= 1
		return []*x509.Certificate{parse(t, der), p.inter.cert}
	}},
	{name: "root of the same name and another key", want: UnknownIssuer, present: func(t testing.TB, p *pki) []*x509.Certificate {
		twin := issue(t, nil, ecKey(t), asCA("Test Root"))
		return []*x509.Certificate{issue(t, twin, ecKey(t), asLeaf(testHost)).cert}
	}},
	{name: "expired under an unknown root", want: UnknownIssuer, present: func(t testing.TB, p *pki) []*x509.Certificate {
		root := issue(t, nil, ecKey(t), asCA("Unknown Root"))
		return []*x509.Certificate{issue(t, root, ecKey(t), asLeaf(testHost), valid(-9*day, -8*day)).cert, root.cert}
	}},

	{name: "client authentication only", want: BadUsage, present: withLeaf(usage(digitalSignature, x509.ExtKeyUsageClientAuth))},
	{name: "client authentication only and expired", want: BadUsage, present: withLeaf(usage(digitalSignature, x509.ExtKeyUsageClientAuth), valid(-9*day, -8*day))},
	{name: "no extended key usage", want: BadUsage, present: withLeaf(usage(digitalSignature))},
	{name: "any extended key usage", want: BadUsage, present: withLeaf(usage(digitalSignature, x509.ExtKeyUsageAny))},
	{name: "intermediate for clients only", want: BadUsage, present: withInter(func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})},
	{name: "key usage certSign only", want: BadUsage, present: withLeaf(usage(x509.KeyUsageCertSign, x509.ExtKeyUsageServerAuth))},
	{name: "key usage keyEncipherment only", want: BadUsage, present: withLeaf(usage(x509.KeyUsageKeyEncipherment, x509.ExtKeyUsageServerAuth))},
	{name: "CA certificate as leaf", want: BadUsage, present: withLeaf(func(c *x509.Certificate) { c.IsCA = true })},
	{name: "CA certificate for another name", want: BadUsage, present: withLeaf(asLeaf("other.example.com"), func(c *x509.Certificate) { c.IsCA = true })},

	{name: "another name", want: NameMismatch, present: withLeaf(asLeaf("other.example.com"))},
	{name: "another name and expired", want: NameMismatch, present: withLeaf(asLeaf("other.example.com"), valid(-9*day, -8*day))},
	{name: "common name only", want: NameMismatch, present: withLeaf(noNames)},
	{name: "wildcard over two labels", want: NameMismatch, present: withLeaf(asLeaf("*.example.com")), host: "a.b.example.com"},
	{name: "wildcard for its own base", want: NameMismatch, present: withLeaf(asLeaf("*.example.com")), host: "example.com"},
	{name: "wildcard within a label", want: NameMismatch, present: withLeaf(asLeaf("w*.example.com"))},
	{name: "wildcard over com", want: NameMismatch, present: withLeaf(asLeaf("*.com")), host: "example.com"},
	{name: "wildcard over co.uk", want: NameMismatch, present: withLeaf(asLeaf("*.CO.uk")), host: "example.co.uk"},
	{name: "wildcard over a suffix by rule", want: NameMismatch, present: withLeaf(asLeaf("*.ck")), host: "example.ck"},
	{name: "wildcard over everything", want: NameMismatch, present: withLeaf(asLeaf("*")), host: "localhost"},
	{name: "another IP address", want: NameMismatch, present: withLeaf(asLeaf("192.0.2.7")), host: "192.0.2.8"},
	{name: "IP address as DNS name", want: NameMismatch, present: withLeaf(func(c *x509.Certificate) { c.DNSNames = []string{"192.0.2.7"} }), host: "192.0.2.7"},
	{name: "IP address in the common name", want: NameMismatch, present: withLeaf(noNames, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "192.0.2.7"} }), host: "192.0.2.7"},
	{name: "no name asked for", want: NameMismatch, present: withLeaf(), host: "."},

	{name: "expired", want: Expired, present: withLeaf(valid(-9*day, -time.Second))},
	{name: "expired intermediate", want: Expired, present: withInter(valid(-90*day, -1*day))},
	{name: "expired root", want: Expired, present: withRoot(ecdsaOf(elliptic.P256()), valid(-90*day, -1*day))},
	{name: "certificates never valid together", want: Expired, present: withInter(valid(-90*day, -80*day))},
	{name: "expired with a staple missing", want: Expired, present: withLeaf(mustStaple, valid(-9*day, -8*day))},
	{name: "not yet valid", want: NotYetValid, present: withLeaf(valid(time.Second, 9*day))},
	{name: "intermediate not yet valid", want: NotYetValid, present: withInter(valid(day, 90*day))},

	{name: "staple missing", want: MustStaple, present: withLeaf(mustStaple)},
	{name: "TLS feature that cannot be understood", want: MustStaple, present: withLeaf(extension(false, oidTLSFeature, 0x30, 9, 2))},
}

// oddKeyLeaf has a public key that crypto/x509 does not know.
func oddKeyLeaf(t testing.TB, p *pki) *x509.Certificate {
	leaf := issue(t, p.rsaRoot, rsaKey(t, 2048), asLeaf(testHost))
	return resign(t, leaf.cert, rsaKey(t, 2048), crypto.SHA256, rsaOID(1), rsaOID(7))
}

func (o origin) state(t testing.TB, p *pki) (string, *tls.ConnectionState) {
	state := &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: o.present(t, p)}
	if o.version != 0 {
		state.Version = o.version
	}
	if o.staple != nil {
		state.OCSPResponse = o.staple.response(t, p, state.PeerCertificates)
	}
	if o.host == "" {
		return testHost, state
	}
	return o.host, state
}

func TestOrigins(t *testing.T) {
	for _, o := range allOrigins() {
		t.Run(o.name, func(t *testing.T) {
			p := newPKI(t)
			host, state := o.state(t, p)
			judge := p.judge()
			for _, attempt := range []string{"fresh", "cached"} {
				err := judge.Verify(t.Context(), host, state)
				if got := ReasonOf(err); got != o.want || (err != nil) != (o.want != "") {
					t.Fatalf("%s: got %q (%v), want %q", attempt, got, err, o.want)
				}
			}
		})
	}
}

func TestVerifyNilState(t *testing.T) {
	err := newPKI(t).judge().Verify(t.Context(), testHost, nil)
	if ReasonOf(err) != Malformed {
		t.Errorf("got %v, want %s", err, Malformed)
	}
}

func TestOriginErrorUnwraps(t *testing.T) {
	p := newPKI(t)
	host, state := origin{present: withLeaf(asLeaf("other.example.com"))}.state(t, p)
	err := p.judge().Verify(t.Context(), host, state)
	if _, ok := errors.AsType[x509.HostnameError](err); !ok {
		t.Errorf("%v does not wrap x509.HostnameError", err)
	}
	reasoned, ok := errors.AsType[interface {
		error
		Reason() string
	}](err)
	if !ok || reasoned.Reason() != "name-mismatch" {
		t.Errorf("%v gives no reason", err)
	}
}

// A judgement must not outlive a certificate, nor five minutes.
func TestJudgementExpires(t *testing.T) {
	for _, row := range []struct {
		name        string
		ends, after time.Duration
		want        Reason
	}{
		{"before the end", time.Minute, 59 * time.Second, ""},
		{"after the end", time.Minute, 61 * time.Second, Expired},
		{"long after", 30 * day, 31 * day, Expired},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPKI(t)
			now := testNow
			judge := NewJudge(JudgeConfig{Roots: p.roots, Now: func() time.Time { return now }})
			host, state := origin{present: withLeaf(valid(-day, row.ends))}.state(t, p)
			if err := judge.Verify(t.Context(), host, state); err != nil {
				t.Fatal(err)
			}
			now = testNow.Add(row.after)
			if got := ReasonOf(judge.Verify(t.Context(), host, state)); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
	p := newPKI(t)
	if until := keepUntil(p.chain(p.leaf(t)), testNow); until.Sub(testNow) > 5*time.Minute {
		t.Errorf("kept for %v", until.Sub(testNow))
	}
}

// An origin that changes to a worse certificate, name or connection is judged
// anew.
func TestJudgementKey(t *testing.T) {
	p := newPKI(t)
	judge := p.judge()
	host, state := origin{present: withLeaf(mustStaple), staple: &stapled{}}.state(t, p)
	if err := judge.Verify(t.Context(), host, state); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		host   string
		change func(*tls.ConnectionState)
		want   Reason
	}{
		{"same", host, func(*tls.ConnectionState) {}, ""},
		{"other name", "example.com", func(*tls.ConnectionState) {}, NameMismatch},
		{"no staple", host, func(s *tls.ConnectionState) { s.OCSPResponse = nil }, MustStaple},
		{"older TLS", host, func(s *tls.ConnectionState) { s.Version = tls.VersionTLS11 }, TLSVersion},
		{"no intermediate", host, func(s *tls.ConnectionState) { s.PeerCertificates = s.PeerCertificates[:1] }, UnknownIssuer},
		{"other leaf", host, func(s *tls.ConnectionState) {
			s.PeerCertificates = p.chain(p.leaf(t, valid(-9*day, -8*day)))
		}, Expired},
	} {
		changed := *state
		row.change(&changed)
		if got := ReasonOf(judge.Verify(t.Context(), row.host, &changed)); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestVerifyConcurrently(t *testing.T) {
	p := newPKI(t)
	judge := p.judge()
	var wg sync.WaitGroup
	for i, o := range []origin{goodOrigins[0], {want: Expired, present: withLeaf(valid(-9*day, -8*day))}, {want: SelfSigned, present: withSelf()}} {
		host, state := o.state(t, p)
		for range 4 {
			wg.Go(func() {
				for range 50 {
					if got := ReasonOf(judge.Verify(t.Context(), host, state)); got != o.want {
						t.Errorf("origin %d: got %q, want %q", i, got, o.want)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if n := judge.cache.len(); n != 3 {
		t.Errorf("%d judgements kept, want 3", n)
	}
}

func TestJudgementsAreBounded(t *testing.T) {
	p := newPKI(t)
	judge := p.judge()
	_, state := goodOrigins[0].state(t, p)
	judge.cache = newLRU[judgement](100, 100*acceptedCost)
	for i := range 1000 {
		judge.Verify(t.Context(), fmt.Sprintf("host-%d.example.com", i), state)
	}
	if n := judge.cache.len(); n == 0 || n >= 100 || judge.cache.cost > 100*acceptedCost {
		t.Errorf("%d refusals of %d octets kept", n, judge.cache.cost)
	}
}

func TestReasonsAreDistinct(t *testing.T) {
	seen := map[Reason]bool{}
	for _, reason := range Reasons() {
		if reason == "" || seen[reason] {
			t.Errorf("reason %q twice or empty", reason)
		}
		seen[reason] = true
	}
	for _, o := range allOrigins() {
		if o.want != "" && !seen[o.want] {
			t.Errorf("%s: %q is not among Reasons", o.name, o.want)
		}
	}
	if len(seen) != 15 {
		t.Errorf("%d reasons, want 15", len(seen))
	}
}

func BenchmarkVerify(b *testing.B) {
	p := newPKI(b)
	host, state := goodOrigins[0].state(b, p)
	b.Run("cached", func(b *testing.B) {
		judge := p.judge()
		b.ReportAllocs()
		for b.Loop() {
			if err := judge.Verify(b.Context(), host, state); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("fresh", func(b *testing.B) {
		judge := p.judge()
		for b.Loop() {
			if known, _ := judge.judge(b.Context(), host, state, testNow); known.fault != nil {
				b.Fatal(known.fault)
			}
		}
	})
}
