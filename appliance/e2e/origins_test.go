package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/scenetest"
	"golang.org/x/crypto/ocsp"
)

const day = 24 * time.Hour

// issuer is an authority for origins that the lab's PKI would not certify.
type issuer struct {
	testing.TB
	cert *x509.Certificate
	key  crypto.Signer
}

type edit func(*x509.Certificate)

func ecdsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newIssuer makes a root.
func newIssuer(t testing.TB, name string) *issuer {
	i := &issuer{t, nil, ecdsaKey(t)}
	pair := i.issue(i.key, asCA(name))
	return &issuer{t, pair.Leaf, i.key}
}

// loadIssuer reads a certificate and its key from PEM files.
func loadIssuer(t testing.TB, cert, key string) *issuer {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, pair.Leaf, pair.PrivateKey.(crypto.Signer)}
}

// below is an issuer that i has signed.
func (i *issuer) below(name string, edits ...edit) *issuer {
	key := ecdsaKey(i)
	return &issuer{i.TB, i.issue(key, append([]edit{asCA(name)}, edits...)...).Leaf, key}
}

func asCA(name string) edit {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name, Organization: []string{"Lab of faults"}}
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
		c.IsCA, c.MaxPathLen = true, -1
	}
}

// names makes a certificate one for names; the first is the common name.
func names(list ...string) edit {
	return func(c *x509.Certificate) { c.Subject, c.DNSNames = pkix.Name{CommonName: list[0]}, list }
}

// issue signs a certificate, good for two days around now: so short a life takes
// no revocation. Without a certificate of its own the issuer signs one for itself.
// The chain is the certificate alone.
func (i *issuer) issue(key crypto.Signer, edits ...edit) tls.Certificate {
	i.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		i.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), NotBefore: time.Now().Add(-day), NotAfter: time.Now().Add(day),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, e := range edits {
		e(template)
	}
	parent, signer := i.cert, i.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		i.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		i.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// staple is an OCSP response about a certificate of i.
func (i *issuer) staple(about *x509.Certificate, status int) []byte {
	i.Helper()
	der, err := ocsp.CreateResponse(i.cert, i.cert, ocsp.Response{
		Status: status, SerialNumber: about.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour), RevokedAt: time.Now().Add(-2 * time.Hour),
	}, i.key)
	if err != nil {
		i.Fatal(err)
	}
	return der
}

// trust appends the issuer to a PEM file.
func (i *issuer) trust(file string) {
	i.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err == nil {
		err = pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})
		f.Close()
	}
	if err != nil {
		i.Fatal(err)
	}
}

func extension(id asn1.ObjectIdentifier, critical bool, value ...byte) edit {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

// shown is what a client that looks at no certificate is shown by an origin.
type shown struct {
	port  ends
	chain [][]byte // nil if there was none
	err   error    // of the handshake, or of what came after it
}

// look makes a session, for a client that is not choosy.
func (c *scene) look(port int, name string) shown {
	c.Helper()
	return c.lookBy(c.Dial(port), name)
}

// lookBy is look on a connection. It may be called in any goroutine.
func (c *scene) lookBy(conn net.Conn, name string) (s shown) {
	defer conn.Close()
	s.port = scenetest.LocalPort(conn)
	client := tls.Client(conn, &tls.Config{
		ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10,
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			s.chain = chain
			return nil
		},
	})
	if s.err = client.HandshakeContext(c.Ctx); s.err != nil {
		return s
	}
	io.WriteString(client, name)
	client.CloseWrite()
	var back []byte
	if back, s.err = io.ReadAll(client); s.err == nil && string(back) != name {
		s.err = fmt.Errorf("%q came back", back)
	}
	client.Close()
	return s
}

// signed reports whether the holder of a certificate in a PEM file signed the leaf
// that was shown.
func (c *scene) signed(s shown, file string) bool {
	c.Helper()
	if s.chain == nil {
		return false
	}
	leaf, err := x509.ParseCertificate(s.chain[0])
	block, _ := pem.Decode(c.ReadFile(file))
	if err != nil || block == nil {
		c.Fatalf("certificate shown, or %s: %v", file, err)
	}
	authority, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		c.Fatal(err)
	}
	return leaf.CheckSignatureFrom(authority) == nil
}
