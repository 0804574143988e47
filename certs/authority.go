package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Authority signs leaves: a CA certificate, its key and, if it is not a root,
// the certificates that lead to one. It does not change and is safe for
// concurrent use. Its key never leaves it.
type Authority struct {
	chain []*x509.Certificate // the authority's own first, then its issuers
	key   crypto.Signer
	tail  [][]byte // DER that follows a leaf in a handshake; a root is left out
}

// Load reads an authority from two PEM files. The certificate file may hold a
// chain, the authority's own certificate first; the key may be PKCS #8, SEC 1
// or PKCS #1, and only its owner may access the file. Both may be the same
// file. In place of a key file a PKCS #11 URI
// (RFC 7512) names a key in a token; it stays there. Refused are keys that do
// not belong to the certificate, certificates that may not sign leaves or are
// not valid now, and keys too weak for that or known to everybody.
//
// Errors name the file, never key material. One for a missing file matches
// fs.ErrNotExist.
func Load(certFile, keyFile string) (*Authority, error) {
	return LoadEncrypted(certFile, keyFile, nil)
}

// LoadEncrypted is [Load] for keys that [EncryptKey] may have encrypted, and for
// PKCS #12: certFile, and keyFile unless it is a token's, may then be one file
// that holds everything, or DER. With a nil ask what needs a passphrase is
// refused.
func LoadEncrypted(certFile, keyFile string, ask Passphrase) (*Authority, error) {
	certPEM, err := readFile(certFile, maxAuthorityFile, false)
	if err != nil {
		return nil, fmt.Errorf("load authority certificate: %w", err)
	}
	if !isPEM(certPEM) {
		return loadBinary(certFile, certPEM, keyFile, ask)
	}
	chain, err := parseCertificates(certPEM)
	if err != nil {
		return nil, fmt.Errorf("load authority certificate: %s: %v", certFile, err)
	}
	key, err := openKey(keyFile, ask)
	if err != nil {
		return nil, fmt.Errorf("load authority key: %w", err)
	}
	if !samePublicKey(chain[0].PublicKey, key.Public()) {
		return nil, fmt.Errorf("load authority: key %s does not belong to the first certificate of %s", keyFile, certFile)
	}
	a, err := newAuthority(chain, key, time.Now())
	if err != nil {
		return nil, fmt.Errorf("load authority certificate: %s: %v", certFile, err)
	}
	return a, nil
}

// loadBinary is LoadEncrypted for a certificate file that is not in PEM form.
func loadBinary(certFile string, data []byte, keyFile string, ask Passphrase) (*Authority, error) {
	var all bundleContents
	if IsTokenURI(keyFile) {
		key, err := openKey(keyFile, nil)
		if err != nil {
			return nil, fmt.Errorf("load authority key: %w", err)
		}
		all.keys = append(all.keys, key)
	} else {
		key, err := readFile(keyFile, maxAuthorityFile, true)
		if err != nil {
			return nil, fmt.Errorf("load authority key: %w", err)
		}
		if err := all.add(key, ask); err != nil {
			return nil, fmt.Errorf("load authority key: %s: %w", keyFile, err)
		}
		if bytes.Equal(key, data) {
			data = nil // it was one file
		}
	}
	if data != nil {
		if err := all.add(data, ask); err != nil {
			return nil, fmt.Errorf("load authority certificate: %s: %w", certFile, err)
		}
	}
	a, err := all.authority(time.Now())
	if err != nil {
		return nil, fmt.Errorf("load authority from %s and %s: %v", certFile, keyFile, err)
	}
	return a, nil
}

// newAuthority checks that chain[0], whose key is key, may sign leaves at now
// and that the rest of the chain leads upward. It takes chain.
func newAuthority(chain []*x509.Certificate, key crypto.Signer, now time.Time) (*Authority, error) {
	if len(chain) > maxIssuers {
		return nil, fmt.Errorf("chain of %d certificates, want at most %d", len(chain), maxIssuers)
	}
	if err := checkAuthorityKey(key.Public()); err != nil {
		return nil, err
	}
	for i, cert := range chain {
		if err := checkIssuer(cert, now); err != nil {
			return nil, fmt.Errorf("certificate %d (%s) %v", i+1, cert.Subject, err)
		}
		if i+1 < len(chain) {
			if err := cert.CheckSignatureFrom(chain[i+1]); err != nil {
				return nil, fmt.Errorf("certificate %d is not signed by the one that follows it: %v", i+1, err)
			}
		}
	}
	a := &Authority{chain: chain, key: key}
	for _, cert := range chain {
		if !selfSigned(cert) {
			a.tail = append(a.tail, cert.Raw)
		}
	}
	return a, nil
}

// checkIssuer says why cert cannot be part of the path of a leaf.
func checkIssuer(cert *x509.Certificate, now time.Time) error {
	switch {
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return errors.New("is not a CA certificate")
	case hasExtension(cert, oidKeyUsage) && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("may not sign certificates by its key usage")
	case len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth) &&
		!slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny):
		return errors.New("may not sign for servers by its extended key usage")
	case len(cert.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("has critical extension %s, which is not understood", cert.UnhandledCriticalExtensions[0])
	case now.After(cert.NotAfter):
		return fmt.Errorf("expired on %s", cert.NotAfter.Format(time.RFC3339))
	case now.Before(cert.NotBefore):
		return fmt.Errorf("is not valid before %s", cert.NotBefore.Format(time.RFC3339))
	}
	return nil
}

// checkAuthorityKey accepts what browsers accept of a CA's key.
func checkAuthorityKey(public crypto.PublicKey) error {
	switch public.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		if err := checkKey(public); err != nil {
			return err
		}
		return checkNotLeaked(public)
	}
	return fmt.Errorf("key type %T cannot sign leaves, want ECDSA or RSA", public)
}

// Certificate returns the authority's own certificate. The caller must not
// change it.
func (a *Authority) Certificate() *x509.Certificate { return a.chain[0] }

// PEM returns the certificates of the authority, its own first and then its
// issuers. There is no key in it.
func (a *Authority) PEM() []byte { return encodeCertificates(a.chain) }

// Fingerprint returns the SHA-256 of the authority's certificate in the form
// that browsers and openssl show: upper case, octets joined by colons.
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.chain[0].Raw)
	octets := make([]string, len(sum))
	for i, b := range sum {
		octets[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(octets, ":")
}

// String names the authority by subject and fingerprint.
func (a *Authority) String() string {
	return fmt.Sprintf("%s (SHA-256 %s)", a.chain[0].Subject, a.Fingerprint())
}

// validity returns the time in which every certificate of the chain is valid.
func (a *Authority) validity() (notBefore, notAfter time.Time) {
	notBefore, notAfter = a.chain[0].NotBefore, a.chain[0].NotAfter
	for _, cert := range a.chain[1:] {
		notBefore = latest(notBefore, cert.NotBefore)
		notAfter = earliest(notAfter, cert.NotAfter)
	}
	return notBefore, notAfter
}

func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
