package certs

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ocsp"
)

// allOrigins is the whole table: what may be trusted, and every fault.
func allOrigins() []origin {
	return slices.Concat(goodOrigins, moreGoodOrigins, faultyOrigins, moreFaults)
}

// tower presents a leaf below n intermediates.
func tower(n int) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		above := p.root
		var chain []*x509.Certificate
		for i := range n {
			above = issue(t, above, ecKey(t), asCA(fmt.Sprintf("Floor %d", i)))
			chain = append(chain, above.cert)
		}
		chain = append(chain, issue(t, above, ecKey(t), asLeaf(testHost)).cert)
		slices.Reverse(chain)
		return chain
	}
}

// broken presents a good chain in which the signature of one certificate is not.
func broken(which int) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		chain := p.chain(p.leaf(t))
		octets := bytes.Clone(chain[which].Raw)
		octets[len(octets)-5] ^= 1
		testKeys.LoadOrStore(string(chain[which].RawSubjectPublicKeyInfo), nil)
		chain[which] = parse(t, octets)
		return chain
	}
}

// withInterKey presents a leaf under an intermediate with a key of its own.
func withInterKey(key func(testing.TB) crypto.Signer) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.root, key(t), asCA("Odd Intermediate"))
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf(testHost)).cert, inter.cert}
	}
}

// rsaInter presents a leaf under an intermediate that is signed again.
func rsaInter(hash crypto.Hash, oid byte) func(testing.TB, *pki) []*x509.Certificate {
	return func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.rsaRoot, ecKey(t), asCA("RSA Intermediate"))
		leaf := issue(t, inter, ecKey(t), asLeaf(testHost))
		return []*x509.Certificate{leaf.cert, resign(t, inter.cert, rsaKey(t, 2048), hash, rsaOID(11), rsaOID(oid))}
	}
}

func serial(n *big.Int) edit { return func(c *x509.Certificate) { c.SerialNumber = n } }

// manyNames are names that a certificate has beside the right one.
func manyNames(n int) edit {
	return func(c *x509.Certificate) {
		for i := range n {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("h%d.test", i))
		}
	}
}

// rawNames is a subject alternative name extension of DNS names as they are.
func rawNames(names ...string) edit {
	var list []asn1.RawValue
	for _, n := range names {
		list = append(list, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(n)})
	}
	value, err := asn1.Marshal(list)
	if err != nil {
		panic(err)
	}
	return func(c *x509.Certificate) {
		noNames(c)
		extension(false, asn1.ObjectIdentifier{2, 5, 29, 17}, value...)(c)
	}
}

func commonName(name string) edit {
	return func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name} }
}

var moreGoodOrigins = []origin{
	{name: "intermediates in the wrong order", present: func(t testing.TB, p *pki) []*x509.Certificate {
		chain := tower(3)(t, p)
		slices.Reverse(chain[1:])
		return chain
	}},
	{name: "an intermediate twice", present: func(t testing.TB, p *pki) []*x509.Certificate { return append(p.chain(p.leaf(t)), p.inter.cert) }},
	{name: "path of ten", present: tower(8)},
	{name: "ten thousand names", present: withLeaf(manyNames(9_999))},
	{name: "serial number of 20 octets", present: withLeaf(serial(new(big.Int).Lsh(big.NewInt(1), 159)))},
	{name: "address in the common name and among the names", present: withLeaf(asLeaf("2001:db8::7")), host: "2001:db8::7"},
	{name: "common name of another host", present: withLeaf(commonName("other.example.com"))},
	{name: "NUL in the common name", present: withLeaf(commonName("www.example.com\x00.example.org"))},
	{name: "underscore in another name", present: withLeaf(asLeaf(testHost, "a_b.example.com"))},
	{name: "name constraint on addresses kept", present: func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.root, ecKey(t), asCA("Constrained"), func(c *x509.Certificate) {
			c.PermittedIPRanges = []*net.IPNet{{IP: net.IPv4(192, 0, 2, 0).To4(), Mask: net.CIDRMask(24, 32)}}
		})
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf("192.0.2.7")).cert, inter.cert}
	}, host: "192.0.2.7"},
}

var moreFaults = []origin{
	{name: "broken signature of the intermediate", want: UnknownIssuer, present: broken(1)},
	{name: "gap in the chain", want: UnknownIssuer, present: func(t testing.TB, p *pki) []*x509.Certificate {
		chain := tower(3)(t, p)
		return append(chain[:1], chain[2:]...)
	}},
	{name: "leaf not first", want: BadUsage, present: func(t testing.TB, p *pki) []*x509.Certificate {
		return []*x509.Certificate{p.inter.cert, p.leaf(t).cert}
	}},
	{name: "hundred intermediates", want: Malformed, present: tower(100)},
	{name: "path of thirty", want: Constraint, present: tower(28)},
	{name: "ten thousand names and one", want: Malformed, present: withLeaf(manyNames(10_000))},

	{name: "root not yet valid", want: NotYetValid, present: withRoot(ecdsaOf(elliptic.P256()), valid(day, 90*day))},
	{name: "root and leaf expired", want: Expired, present: func(t testing.TB, p *pki) []*x509.Certificate {
		root := p.trusted(t, ecKey(t), valid(-90*day, -day))
		return []*x509.Certificate{issue(t, root, ecKey(t), asLeaf(testHost), valid(-80*day, -2*day)).cert}
	}},

	{name: "intermediate without basic constraints", want: Constraint, present: withInter(func(c *x509.Certificate) { c.BasicConstraintsValid, c.IsCA = false, false })},
	{name: "intermediate with CA:FALSE", want: Constraint, present: withInter(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, digitalSignature })},
	{name: "intermediate without keyCertSign", want: Constraint, present: withInter(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })},
	{name: "path length of the root", want: Constraint, present: func(t testing.TB, p *pki) []*x509.Certificate {
		root := p.trusted(t, ecKey(t), func(c *x509.Certificate) { c.MaxPathLenZero = true })
		inter := issue(t, root, ecKey(t), asCA("Too deep"))
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf(testHost)).cert, inter.cert}
	}},
	{name: "address outside a constraint", want: Constraint, present: func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.root, ecKey(t), asCA("Constrained"), func(c *x509.Certificate) {
			c.PermittedIPRanges = []*net.IPNet{{IP: net.IPv4(198, 51, 100, 0).To4(), Mask: net.CIDRMask(24, 32)}}
		})
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf("192.0.2.7")).cert, inter.cert}
	}, host: "192.0.2.7"},
	{name: "one of many names outside a constraint", want: Constraint, present: func(t testing.TB, p *pki) []*x509.Certificate {
		inter := issue(t, p.root, ecKey(t), asCA("Constrained"), func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} })
		return []*x509.Certificate{issue(t, inter, ecKey(t), asLeaf(testHost, "example.org")).cert, inter.cert}
	}},
	{name: "constraint with a leading dot", want: Constraint, present: withInter(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{".example.com"} })},
	{name: "name constraints in the leaf", want: Constraint, present: withLeaf(extension(false, oidNameConstraints, 0x30, 15, 0xa0, 13, 0x30, 11, 0x82, 9, 'e', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'))},

	{name: "unknown critical extension in the intermediate", want: Malformed, present: withInter(extension(true, asn1.ObjectIdentifier{1, 3, 9999, 1}, 5, 0))},
	{name: "serial number zero", want: Malformed, present: withLeaf(serial(new(big.Int)))},
	{name: "serial number of 21 octets", want: Malformed, present: withLeaf(serial(new(big.Int).Lsh(big.NewInt(1), 160)))},
	{name: "serial number of 21 octets in the intermediate", want: Malformed, present: withInter(serial(new(big.Int).Lsh(big.NewInt(1), 160)))},

	{name: "intermediate signed with MD5", want: WeakSignature, present: rsaInter(crypto.MD5, 4)},
	{name: "P-224 in the intermediate", want: WeakKey, present: withInterKey(ecdsaOf(elliptic.P224()))},
	{name: "P-224 in the root", want: WeakKey, present: withRoot(ecdsaOf(elliptic.P224()))},
	{name: "RSA 2052 in the intermediate", want: WeakKey, present: withInterKey(rsaOf(2052))},
	{name: "RSA 1024 for another name", want: WeakKey, present: func(t testing.TB, p *pki) []*x509.Certificate {
		return p.chain(issue(t, p.inter, rsaKey(t, 1024), asLeaf("other.example.com")))
	}},

	{name: "key usage of a CA beside digitalSignature", want: BadUsage, present: withLeaf(usage(digitalSignature|x509.KeyUsageCertSign, x509.ExtKeyUsageServerAuth))},
	{name: "key usage cRLSign beside digitalSignature", want: BadUsage, present: withLeaf(usage(digitalSignature|x509.KeyUsageCRLSign, x509.ExtKeyUsageServerAuth))},
	{name: "any beside serverAuth", want: BadUsage, present: withLeaf(usage(digitalSignature, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageAny))},
	{name: "code signing", want: BadUsage, present: withLeaf(usage(digitalSignature, x509.ExtKeyUsageCodeSigning))},
	{name: "OCSP signing", want: BadUsage, present: withLeaf(usage(digitalSignature, x509.ExtKeyUsageOCSPSigning))},

	{name: "NUL behind the name", want: NameMismatch, present: withLeaf(rawNames(testHost + "\x00"))},
	{name: "NUL within the name", want: NameMismatch, present: withLeaf(rawNames(testHost + "\x00.example.org"))},
	{name: "NUL in the common name alone", want: NameMismatch, present: withLeaf(noNames, commonName(testHost+"\x00.example.org"))},
	{name: "wildcard in the middle", want: NameMismatch, present: withLeaf(asLeaf("www.*.com"))},
	{name: "wildcard in the middle, a.*.b", want: NameMismatch, present: withLeaf(rawNames("a.*.example.com")), host: "a.b.example.com"},
	{name: "wildcard twice", want: NameMismatch, present: withLeaf(rawNames("*.*.example.com")), host: "a.b.example.com"},
	{name: "wildcard at the end of a label", want: NameMismatch, present: withLeaf(asLeaf("*w.example.com"))},
	{name: "wildcard in the middle of a label", want: NameMismatch, present: withLeaf(asLeaf("w*w.example.com"))},
	{name: "wildcard over an address", want: NameMismatch, present: withLeaf(rawNames("*.0.2.7")), host: "192.0.2.7"},
	{name: "wildcard over an encoded label", want: NameMismatch, present: withLeaf(rawNames("xn--*.example.com")), host: "xn--a.example.com"},
	{name: "leading dot", want: NameMismatch, present: withLeaf(rawNames(".example.com"))},
	{name: "empty name", want: NameMismatch, present: withLeaf(rawNames(""))},
	{name: "underscore", want: NameMismatch, present: withLeaf(asLeaf("a_b.example.com")), host: "a_b.example.com"},
	{name: "suffix of the name", want: NameMismatch, present: withLeaf(asLeaf("example.com"))},
	{name: "name within a longer one", want: NameMismatch, present: withLeaf(asLeaf(testHost + ".example.org"))},
	{name: "another address in the common name", want: NameMismatch, present: withLeaf(commonName("192.0.2.8"))},
	{name: "address in another notation in the common name", want: NameMismatch, present: withLeaf(asLeaf("192.0.2.7"), commonName("192.000.002.007")), host: "192.0.2.7"},

	{name: "staple that is none", want: MustStaple, present: withLeaf(mustStaple), staple: &stapled{garbage: true}},
	{name: "stale staple", want: MustStaple, present: withLeaf(mustStaple), staple: &stapled{age: 9 * day, until: -day}},
	{name: "staple of another certificate", want: MustStaple, present: withLeaf(mustStaple), staple: &stapled{edit: func(r *ocsp.Response) { r.SerialNumber = big.NewInt(9) }}},
	{name: "staple that revokes where one is demanded", want: Revoked, present: withLeaf(mustStaple), staple: &stapled{status: ocsp.Revoked}},
}

// keyOf returns the key that belongs to a leaf, nil if it cannot be served with.
func keyOf(leaf *x509.Certificate) crypto.PrivateKey {
	key, ok := testKeys.Load(string(leaf.RawSubjectPublicKeyInfo))
	if !ok || key == nil {
		return nil
	}
	if _, odd := key.(publicOnly); odd {
		return nil
	}
	return key
}

// Every origin of the table is met by a handshake, and every reason in all ways. In a
// thorough run each origin is met in all ways.
func TestOriginsServed(t *testing.T) {
	forger := testForger(t, nil)
	served, met := 0, 0
	reasons := make(map[Reason]bool)
	for _, o := range allOrigins() {
		p := newPKI(t)
		host, state := o.state(t, p)
		var chain [][]byte
		for _, cert := range state.PeerCertificates {
			if cert != nil && len(cert.Raw) > 0 {
				chain = append(chain, cert.Raw)
			}
		}
		if len(chain) == 0 {
			continue // cannot be served
		}
		served++
		cfg := serveRaw(t, chain, keyOf(state.PeerCertificates[0]), state.OCSPResponse)
		cfg.MaxVersion = state.Version
		if strings.HasPrefix(o.name, "P-224 in the leaf") {
			cfg.MaxVersion = 0x0303 // TLS 1.3 has no signatures on that curve
		}
		ways := waysOf(served)
		if !reasons[o.want] {
			reasons[o.want], ways = true, responses
		}
		for response, r := range ways {
			met++
			m := meet(t, p.judge(), forger, r, cfg, host)
			wantMeeting(t, o.name, response, m, forger, chain, o.want != "")
			if want := string(o.want); want != "" && m.session.OriginTLS.Verdict != want {
				t.Errorf("%s, %s: verdict %q (%v), want %q", o.name, response, m.session.OriginTLS.Verdict, m.session.Err, want)
			}
		}
	}
	if served < 120 {
		t.Errorf("only %d origins served", served)
	}
	t.Logf("%d origins of %d reasons served %d times", served, len(reasons), met)
}

// Certificates that the parser refuses are not judged: the handshake ends, and
// no leaf is made of them.
func TestMalformedServed(t *testing.T) {
	p := newPKI(t)
	forger := testForger(t, nil)
	key := ecKey(t)
	good := p.leaf(t).cert.Raw
	san := asn1.ObjectIdentifier{2, 5, 29, 17}
	leaf := func(edits ...edit) []byte {
		return issueDER(t, p.inter, key, append([]edit{asLeaf(testHost)}, edits...)...)
	}
	garbled := bytes.Clone(good)
	garbled[4] ^= 1
	rows := map[string][]byte{
		"names that are none":           leaf(noNames, extension(false, san, 1, 2, 3)),
		"names of another type":         leaf(noNames, extension(false, san, 0x0c, 1, 'x')),
		"address of five octets":        leaf(noNames, extension(false, san, 0x30, 7, 0x87, 5, 192, 0, 2, 7, 1)),
		"extension twice":               leaf(extension(false, oidTLSFeature, 0x30, 3, 2, 1, 5), extension(false, oidTLSFeature, 0x30, 3, 2, 1, 5)),
		"key usage that is none":        leaf(func(c *x509.Certificate) { c.KeyUsage = 0 }, extension(true, oidKeyUsage, 1, 2)),
		"extended usage that is none":   leaf(func(c *x509.Certificate) { c.ExtKeyUsage = nil }, extension(false, asn1.ObjectIdentifier{2, 5, 29, 37}, 1, 2)),
		"basic constraints without end": leaf(func(c *x509.Certificate) { c.BasicConstraintsValid = false }, extension(true, asn1.ObjectIdentifier{2, 5, 29, 19}, 0x30, 0x7f)),
		"name in another alphabet":      leaf(rawNames("b\xc3\xbccher.example.com")),
		"garbled":                       garbled,
		"octets behind it":              append(bytes.Clone(good), 0),
		"cut off":                       good[:len(good)-1],
		"none":                          {},
		"nothing but a tag":             {0x30},
	}
	for name, octets := range rows {
		if _, err := x509.ParseCertificate(octets); err == nil {
			t.Errorf("%s: can be parsed", name)
		}
		for position, chain := range map[string][][]byte{"leaf": {octets, p.inter.cert.Raw}, "intermediate": {good, octets}} {
			for response, r := range responses {
				m := meet(t, p.judge(), forger, r, serveRaw(t, chain, key, nil), testHost)
				wantMeeting(t, name+" as "+position, response, m, forger, chain, true)
				if got := m.session.OriginTLS.Verdict; got != string(Malformed) {
					t.Errorf("%s as %s, %s: verdict %q (%v)", name, position, response, got, m.session.Err)
				}
			}
		}
	}
}

// Revoked three ways, by handshake: the origin is blocked, warned of or tunneled
// as its configuration says.
func TestRevokedServed(t *testing.T) {
	forger := testForger(t, nil)
	p := newPKI(t)
	r := newResponder(t, p)
	listed, asked, stapling := p.leaf(t, pointsTo(r.URL+"/crl")), p.leaf(t, asksAt(r.URL+"/ocsp")), p.leaf(t)
	down, fine := p.leaf(t, asksAt("http://127.0.0.1:1/")), p.leaf(t, asksAt(r.URL+"/ocsp"))
	r.revoke(listed.cert, asked.cert)
	p.inter.cert = issue(t, p.root, p.inter.key, asCA("Test Intermediate"), pointsTo(r.URL+"/root-crl")).cert
	for _, row := range []struct {
		name       string
		leaf       *node
		staple     *stapled
		mode       RevocationMode
		want       Reason
		revocation string
	}{
		{"by a list", listed, nil, RevocationSoft, Revoked, StatusRevoked},
		{"by a responder", asked, nil, RevocationSoft, Revoked, StatusRevoked},
		{"by a staple", stapling, &stapled{status: ocsp.Revoked}, RevocationSoft, Revoked, StatusRevoked},
		{"good", fine, nil, RevocationHard, "", StatusGood},
		{"responder down, soft", down, nil, RevocationSoft, "", StatusUnknown},
		{"responder down, hard", down, nil, RevocationHard, RevocationUnknown, StatusUnknown},
	} {
		chain := [][]byte{row.leaf.cert.Raw, p.inter.cert.Raw}
		var staple []byte
		if row.staple != nil {
			staple = row.staple.about(t, p.inter, row.leaf.cert.SerialNumber)
		}
		for response, how := range responses {
			m := meet(t, p.judgeOf(row.mode), forger, how, serveRaw(t, chain, row.leaf.key, staple), testHost)
			wantMeeting(t, row.name, response, m, forger, chain, row.want != "")
			verdict := cmp.Or(string(row.want), "ok")
			if tls := m.session.OriginTLS; tls.Verdict != verdict || tls.Revocation != row.revocation {
				t.Errorf("%s, %s: got %q, %q, want %q, %q", row.name, response, tls.Verdict, tls.Revocation, verdict, row.revocation)
			}
		}
	}
}
