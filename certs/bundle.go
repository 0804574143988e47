package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

const (
	maxBundleFiles = 8
	maxBundleCerts = 64
)

// Bundle is an authority from elsewhere: a key, its certificate and the issuers
// above it.
type Bundle struct {
	*Authority
	key []byte // PKCS #8 in PEM form
}

// ReadBundle collects an authority from files: in PEM form certificates and the
// key in any order, in one file (as mitmproxy keeps them) or several (as SSLsplit
// does), the key as PKCS #8, SEC 1 or PKCS #1; PKCS #12; DER of one of these. ask
// opens PKCS #12 files with a password and keys encrypted with age; it may be nil.
//
// There must be one key, a certificate that belongs to it, and nothing besides
// the certificates above that. Everything is checked as [Load] does.
func ReadBundle(files []string, ask Passphrase) (*Bundle, error) {
	if len(files) == 0 || len(files) > maxBundleFiles {
		return nil, fmt.Errorf("read authority: want 1 to %d files", maxBundleFiles)
	}
	var all bundleContents
	for _, file := range files {
		data, err := readFile(file, maxAuthorityFile, false)
		if err != nil {
			return nil, fmt.Errorf("read authority: %w", err)
		}
		if err := all.add(data, ask); err != nil {
			return nil, fmt.Errorf("read authority: %s: %w", file, err)
		}
	}
	b, err := all.bundle(time.Now())
	if err != nil {
		return nil, fmt.Errorf("read authority from %s: %w", strings.Join(files, ", "), err)
	}
	return b, nil
}

// bundleContents are what files hold.
type bundleContents struct {
	certs []*x509.Certificate
	keys  []crypto.Signer
}

// add takes one file apart. Its errors never quote the input.
func (c *bundleContents) add(data []byte, ask Passphrase) error {
	if isAgeFile(data) {
		clear, err := decryptFile(data, ask)
		if err != nil {
			return err
		}
		data = clear
	}
	if isPEM(data) {
		return c.addPEM(data)
	}
	if cert, err := x509.ParseCertificate(data); err == nil {
		return c.addCert(cert)
	}
	for _, kind := range []string{"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"} {
		if key, err := parseKeyBlock(&pem.Block{Type: kind, Bytes: data}); err == nil {
			return c.addKey(key)
		}
	}
	return c.addPKCS12(data, ask)
}

func (c *bundleContents) addPEM(data []byte) error {
	found := false
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return fmt.Errorf("parse certificate %d: %v", len(c.certs)+1, err)
			}
			if err := c.addCert(cert); err != nil {
				return err
			}
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key, err := parseKeyBlock(block)
			if err != nil {
				return err
			}
			if err := c.addKey(key); err != nil {
				return err
			}
		default:
			continue // parameters, text
		}
		found = true
	}
	if !found {
		return errors.New("no certificate and no private key in PEM form")
	}
	return nil
}

func (c *bundleContents) addPKCS12(data []byte, ask Passphrase) error {
	// Many files have the empty password: nobody is asked then.
	key, cert, issuers, err := pkcs12.DecodeChain(data, "")
	if errors.Is(err, pkcs12.ErrIncorrectPassword) && ask != nil {
		password, askErr := ask()
		if askErr != nil {
			return askErr
		}
		key, cert, issuers, err = pkcs12.DecodeChain(data, password)
	}
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword) && ask == nil:
		return fmt.Errorf("PKCS #12 file has a password: %w", ErrPassphrase)
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return fmt.Errorf("password of the PKCS #12 file is wrong: %w", ErrPassphrase)
	case err != nil && strings.Contains(err.Error(), "private key"):
		return errors.New("PKCS #12 file holds no private key, or several")
	case err != nil:
		return errors.New("neither PEM nor PKCS #12 nor the DER form of a certificate or key")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return errors.New("private key cannot sign")
	}
	if err := c.addKey(signer); err != nil {
		return err
	}
	for _, each := range append([]*x509.Certificate{cert}, issuers...) {
		if err := c.addCert(each); err != nil {
			return err
		}
	}
	return nil
}

func (c *bundleContents) addCert(cert *x509.Certificate) error {
	for _, known := range c.certs {
		if known.Equal(cert) {
			return nil
		}
	}
	if len(c.certs) == maxBundleCerts {
		return fmt.Errorf("more than %d certificates", maxBundleCerts)
	}
	c.certs = append(c.certs, cert)
	return nil
}

func (c *bundleContents) addKey(key crypto.Signer) error {
	for _, known := range c.keys {
		if samePublicKey(known.Public(), key.Public()) {
			return nil
		}
	}
	c.keys = append(c.keys, key)
	return nil
}

// bundle is authority for a key that is at hand.
func (c *bundleContents) bundle(now time.Time) (*Bundle, error) {
	a, err := c.authority(now)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, errors.New("private key has no PKCS #8 form")
	}
	return &Bundle{a, encodeKey(der)}, nil
}

// authority joins key and certificates.
func (c *bundleContents) authority(now time.Time) (*Authority, error) {
	switch {
	case len(c.keys) == 0:
		return nil, errors.New("there is no private key")
	case len(c.keys) > 1:
		return nil, fmt.Errorf("there are %d different private keys, want one", len(c.keys))
	case len(c.certs) == 0:
		return nil, errors.New("there is no certificate")
	}
	key := c.keys[0]
	chain, rest := c.split(key.Public())
	if chain == nil {
		return nil, fmt.Errorf("no certificate belongs to the private key; there is one of %s", c.certs[0].Subject)
	}
	for len(rest) > 0 && !selfSigned(chain[len(chain)-1]) {
		i := issuerOf(chain[len(chain)-1], rest)
		if i < 0 {
			break
		}
		chain = append(chain, rest[i])
		rest = append(rest[:i:i], rest[i+1:]...)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("certificate of %s is not the issuer of that of %s", rest[0].Subject, chain[0].Subject)
	}
	return newAuthority(chain, key, now)
}

// split returns the certificate that belongs to a key, the one that lives
// longest of several, and the certificates of other keys.
func (c *bundleContents) split(public crypto.PublicKey) (own, rest []*x509.Certificate) {
	for _, cert := range c.certs {
		switch {
		case !samePublicKey(cert.PublicKey, public):
			rest = append(rest, cert)
		case own == nil:
			own = []*x509.Certificate{cert}
		case cert.NotAfter.After(own[0].NotAfter):
			own[0] = cert
		}
	}
	return own, rest
}

func issuerOf(cert *x509.Certificate, among []*x509.Certificate) int {
	for i, c := range among {
		if cert.CheckSignatureFrom(c) == nil {
			return i
		}
	}
	return -1
}
