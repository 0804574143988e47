package lab

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// PKI is a root authority for the lab's origins. Safe for concurrent use.
type PKI struct {
	RootFile string // PEM of the root certificate
	Root     *x509.Certificate

	dir string
	key crypto.Signer

	mu     sync.Mutex
	serial int64
}

// KeyPair names the PEM files of a certificate and its private key.
type KeyPair struct {
	CertFile, KeyFile string
	Leaf              *x509.Certificate
}

// Request describes a certificate. Its key is ECDSA P-256.
type Request struct {
	Names               []string  // DNS names and IP addresses; the first is the common name
	NotBefore, NotAfter time.Time // zero: an hour ago, in 90 days
	SelfSigned          bool      // signed by its own key, not by the root
	Client              bool      // for client authentication too
	Responder           bool      // for signing OCSP responses, and nothing else
	OCSP, CRL           string    // URLs of its OCSP responder and revocation list; may be empty
}

// NewPKI makes a root authority that keeps all its files in dir.
func NewPKI(dir string) (*PKI, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p := &PKI{dir: dir, key: key, serial: 1, RootFile: filepath.Join(dir, "root.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(p.serial),
		Subject:      pkix.Name{CommonName: "Lab Root", Organization: []string{"Lab"}},
		NotBefore:    time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:     true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign lab root: %w", err)
	}
	if p.Root, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return p, writePEM(p.RootFile, 0o644, "CERTIFICATE", der)
}

// Issue returns a certificate, signed by the root, that is valid for names.
func (p *PKI) Issue(names ...string) (KeyPair, error) {
	return p.Make(Request{Names: names})
}

// Expired returns a certificate that ended yesterday.
func (p *PKI) Expired(names ...string) (KeyPair, error) {
	now := time.Now()
	return p.Make(Request{Names: names, NotBefore: now.Add(-72 * time.Hour), NotAfter: now.Add(-24 * time.Hour)})
}

// SelfSigned returns a certificate that the root has nothing to do with.
func (p *PKI) SelfSigned(names ...string) (KeyPair, error) {
	return p.Make(Request{Names: names, SelfSigned: true})
}

// Make makes the certificate that r describes.
func (p *PKI) Make(r Request) (KeyPair, error) {
	if len(r.Names) == 0 {
		return KeyPair{}, fmt.Errorf("issue certificate: no name")
	}
	p.mu.Lock()
	p.serial++
	serial := p.serial
	p.mu.Unlock()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: r.Names[0]},
		NotBefore:    r.NotBefore, NotAfter: r.NotAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	}
	if r.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	if r.Responder {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	}
	if r.OCSP != "" {
		template.OCSPServer = []string{r.OCSP}
	}
	if r.CRL != "" {
		template.CRLDistributionPoints = []string{r.CRL}
	}
	for _, name := range r.Names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	parent, signer := p.Root, p.key
	if r.SelfSigned {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return KeyPair{}, fmt.Errorf("sign certificate for %s: %w", r.Names[0], err)
	}
	return p.write(serial, der, key)
}

func (p *PKI) write(serial int64, der []byte, key *ecdsa.PrivateKey) (k KeyPair, err error) {
	if k.Leaf, err = x509.ParseCertificate(der); err != nil {
		return k, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return k, err
	}
	k.CertFile = filepath.Join(p.dir, fmt.Sprintf("%d.crt", serial))
	k.KeyFile = filepath.Join(p.dir, fmt.Sprintf("%d.key", serial))
	if err := writePEM(k.CertFile, 0o644, "CERTIFICATE", der); err != nil {
		return k, err
	}
	return k, writePEM(k.KeyFile, 0o600, "PRIVATE KEY", keyDER)
}

func writePEM(path string, mode os.FileMode, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
