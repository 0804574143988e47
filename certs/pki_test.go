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
	"encoding/asn1"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testHost = "www.example.com"

// testNow is the time at which the judge of the tests stands.
var testNow = time.Now().Truncate(time.Second)

const day = 24 * time.Hour

// node is a certificate with its key.
type node struct {
	cert *x509.Certificate
	key  crypto.Signer
}

type edit func(*x509.Certificate)

var testSerial = big.NewInt(1000)

// issue signs a certificate for key; a nil parent makes it self-signed.
func issue(t testing.TB, parent *node, key crypto.Signer, edits ...edit) *node {
	t.Helper()
	cert := parse(t, issueDER(t, parent, key, edits...))
	testKeys.Store(string(cert.RawSubjectPublicKeyInfo), key)
	return &node{cert: cert, key: key}
}

// testKeys are the keys of certificates that were issued, by their public part.
var testKeys sync.Map

// issueDER is issue for what cannot be parsed.
func issueDER(t testing.TB, parent *node, key crypto.Signer, edits ...edit) []byte {
	t.Helper()
	testSerial = new(big.Int).Add(testSerial, big.NewInt(1))
	template := &x509.Certificate{
		SerialNumber:          testSerial,
		NotBefore:             testNow.Add(-30 * day),
		NotAfter:              testNow.Add(30 * day),
		BasicConstraintsValid: true,
	}
	for _, e := range edits {
		e(template)
	}
	signer := node{cert: template, key: key}
	if parent != nil {
		signer = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func asCA(name string) edit {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name, Organization: []string{"Test PKI"}}
		c.IsCA = true
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		c.NotBefore, c.NotAfter = testNow.Add(-300*day), testNow.Add(300*day)
	}
}

func asLeaf(names ...string) edit {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: names[0], Organization: []string{"Example Ltd"}}
		c.DNSNames, c.IPAddresses = nil, nil
		for _, name := range names {
			if ip := net.ParseIP(name); ip != nil {
				c.IPAddresses = append(c.IPAddresses, ip)
			} else {
				c.DNSNames = append(c.DNSNames, name)
			}
		}
		c.KeyUsage = x509.KeyUsageDigitalSignature
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
}

func valid(from, to time.Duration) edit {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = testNow.Add(from), testNow.Add(to) }
}

func extension(critical bool, id asn1.ObjectIdentifier, value ...byte) edit {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

func ecKey(t testing.TB, curve ...elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(append(curve, elliptic.P256())[0], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var rsaKeyCache sync.Map

// rsaKey returns the one RSA key of that size.
func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	if key, ok := rsaKeyCache.Load(bits); ok {
		return key.(*rsa.PrivateKey)
	}
	var key *rsa.PrivateKey
	allowTinyRSA(t, func() {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, bits); err != nil {
			t.Fatal(err)
		}
	})
	rsaKeyCache.Store(bits, key)
	return key
}

// allowTinyRSA runs f with keys below 1024 bits allowed.
func allowTinyRSA(t testing.TB, f func()) {
	t.Helper()
	old := os.Getenv("GODEBUG")
	os.Setenv("GODEBUG", "rsa1024min=0")
	defer os.Setenv("GODEBUG", old)
	f()
}

// rsaOID is the object identifier of an RSA algorithm, PKCS #1 arc.
func rsaOID(last byte) []byte { return []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, last} }

// resign exchanges octets for others of the same length and signs again with
// an RSA key, for what CreateCertificate refuses to make.
func resign(t testing.TB, cert *x509.Certificate, key *rsa.PrivateKey, hash crypto.Hash, from, to []byte) *x509.Certificate {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	changed := bytes.ReplaceAll(cert.Raw, from, to)
	if len(from) != len(to) || bytes.Equal(changed, cert.Raw) {
		t.Fatal("octets to exchange not found")
	}
	if _, err := asn1.Unmarshal(changed, &outer); err != nil {
		t.Fatal(err)
	}
	h := hash.New()
	h.Write(outer.TBS.FullBytes)
	sig, err := rsa.SignPKCS1v15(nil, key, hash, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	outer.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	der, err := asn1.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, der)
}

// pki is a world of roots in which origins get their certificates.
type pki struct {
	root, inter, rsaRoot *node
	own                  *node // an inspection authority of ours
	roots                *x509.CertPool
}

var (
	pkiOnce sync.Once
	pkiMade struct{ root, inter, rsaRoot, own node }
)

// newPKI returns a world whose nodes and roots a test may exchange. Its
// certificates are the same each time.
func newPKI(t testing.TB) *pki {
	t.Helper()
	pkiOnce.Do(func() {
		pkiMade.root = *issue(t, nil, ecKey(t), asCA("Test Root"))
		pkiMade.inter = *issue(t, &pkiMade.root, ecKey(t), asCA("Test Intermediate"))
		pkiMade.rsaRoot = *issue(t, nil, rsaKey(t, 2048), asCA("Test RSA Root"))
		pkiMade.own = *issue(t, nil, ecKey(t), asCA("Inspection"))
	})
	made := pkiMade
	p := &pki{root: &made.root, inter: &made.inter, rsaRoot: &made.rsaRoot, own: &made.own, roots: x509.NewCertPool()}
	p.roots.AddCert(p.root.cert)
	p.roots.AddCert(p.rsaRoot.cert)
	return p
}

// trusted makes one more trusted root.
func (p *pki) trusted(t testing.TB, key crypto.Signer, edits ...edit) *node {
	n := issue(t, nil, key, append([]edit{asCA("Test Extra Root")}, edits...)...)
	p.roots.AddCert(n.cert)
	return n
}

// leaf is an origin's certificate under the intermediate.
func (p *pki) leaf(t testing.TB, edits ...edit) *node {
	return issue(t, p.inter, ecKey(t), append([]edit{asLeaf(testHost)}, edits...)...)
}

// chain is what an origin presents for a leaf under the intermediate.
func (p *pki) chain(leaf *node) []*x509.Certificate {
	return []*x509.Certificate{leaf.cert, p.inter.cert}
}

func (p *pki) judge() *Judge {
	return NewJudge(JudgeConfig{
		Roots: p.roots,
		Own:   []*x509.Certificate{p.own.cert},
		Now:   func() time.Time { return testNow },
	})
}

func testAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a, err := Generate(CreateOptions{CommonName: name})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
