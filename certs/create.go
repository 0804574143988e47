package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// KeyType chooses the key of a new authority.
type KeyType string

const (
	ECDSAP256 KeyType = "ecdsa-p256"
	ECDSAP384 KeyType = "ecdsa-p384"
	RSA4096   KeyType = "rsa-4096"
)

const (
	defaultCommonName        = "clearspan inspection authority"
	defaultAuthorityLifetime = 10 * 365 * 24 * time.Hour
	// authorityBackdate lets the first leaves be backdated within the
	// authority's validity, and clients with a late clock accept it.
	authorityBackdate = 24 * time.Hour
)

// CreateOptions describes a new authority. The zero value is usable.
type CreateOptions struct {
	CommonName string        // of the subject, at most 64 octets; default "clearspan inspection authority"
	Key        KeyType       // default ECDSAP256
	Lifetime   time.Duration // from now; default ten years

	// Passphrase opens an encrypted key and encrypts a new one. nil: encrypted
	// keys are refused, and new ones are written in clear.
	Passphrase Passphrase
}

// Generate returns a new self-signed authority that lives in memory only.
// Every call makes a new key.
func Generate(opts CreateOptions) (*Authority, error) {
	a, _, err := generate(opts)
	return a, err
}

// LoadOrCreate loads the authority of two files as [Load] does, or, if neither
// file exists, creates a new one there and reports created. If only one of
// them exists that is an error: a lost key or certificate is not replaced.
//
// The key file gets mode 0600, the certificate file 0644, and a directory that
// has to be made 0700. Both files appear complete or not at all. Processes that
// create the same authority at once agree on one: a lock on the key's directory
// is held meanwhile.
func LoadOrCreate(certFile, keyFile string, opts CreateOptions) (a *Authority, created bool, err error) {
	// The certificate is written last: where both files are, both are complete.
	// One alone may mean that another process is between the two.
	if found, err := bothExist(certFile, keyFile); err == nil && found {
		a, err := LoadEncrypted(certFile, keyFile, opts.Passphrase)
		return a, false, err
	}
	if filepath.Clean(certFile) == filepath.Clean(keyFile) {
		return nil, false, fmt.Errorf("create authority: certificate and key cannot both go to %s", certFile)
	}
	for _, file := range []string{certFile, keyFile} {
		if err := makeDirectory(filepath.Dir(file)); err != nil {
			return nil, false, fmt.Errorf("create authority directory: %w", err)
		}
	}
	unlock, err := lockDirectory(filepath.Dir(keyFile))
	if err != nil {
		return nil, false, fmt.Errorf("create authority: %w", err)
	}
	defer unlock()
	if found, err := bothExist(certFile, keyFile); err != nil {
		return nil, false, err
	} else if found { // another caller was faster
		a, err := LoadEncrypted(certFile, keyFile, opts.Passphrase)
		return a, false, err
	}
	a, keyPEM, err := generate(opts)
	if err != nil {
		return nil, false, err
	}
	defer clear(keyPEM) // the text of the key is not left in memory
	stored, err := encryptFile(keyPEM, opts.Passphrase)
	if err != nil {
		return nil, false, fmt.Errorf("encrypt authority key: %w", err)
	}
	if err := writeFile(keyFile, stored, 0o600); err != nil {
		return nil, false, fmt.Errorf("write authority key: %w", err)
	}
	if err := writeFile(certFile, a.PEM(), 0o644); err != nil {
		// A key without its certificate would stop every later start.
		return nil, false, errors.Join(fmt.Errorf("write authority certificate: %w", err), os.Remove(keyFile))
	}
	return a, true, nil
}

// bothExist reports whether both files exist; one without the other is an
// error.
func bothExist(certFile, keyFile string) (bool, error) {
	_, certErr := os.Lstat(certFile)
	_, keyErr := os.Lstat(keyFile)
	noCert, noKey := errors.Is(certErr, fs.ErrNotExist), errors.Is(keyErr, fs.ErrNotExist)
	switch {
	case certErr != nil && !noCert:
		return false, fmt.Errorf("find authority certificate: %w", certErr)
	case keyErr != nil && !noKey:
		return false, fmt.Errorf("find authority key: %w", keyErr)
	case noCert && !noKey:
		return false, fmt.Errorf("load authority: certificate %s is missing, its key %s exists; restore the one or remove the other", certFile, keyFile)
	case noKey && !noCert:
		return false, fmt.Errorf("load authority: key %s is missing, its certificate %s exists; restore the one or remove the other", keyFile, certFile)
	}
	return !noCert, nil
}

// generate also returns the key as PKCS #8 in PEM form.
func generate(opts CreateOptions) (*Authority, []byte, error) {
	if opts.CommonName == "" {
		opts.CommonName = defaultCommonName
	}
	if len(opts.CommonName) > maxCommonName {
		return nil, nil, fmt.Errorf("create authority: common name longer than %d octets", maxCommonName)
	}
	if opts.Lifetime == 0 {
		opts.Lifetime = defaultAuthorityLifetime
	}
	if opts.Lifetime < 0 {
		return nil, nil, errors.New("create authority: negative lifetime")
	}
	key, err := newAuthorityKey(opts.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("create authority key: %v", err)
	}
	ski, err := keyID(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("create authority: %v", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: opts.CommonName},
		NotBefore:             now.Add(-authorityBackdate).Truncate(time.Second),
		NotAfter:              now.Add(opts.Lifetime).Truncate(time.Second),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it signs leaves only
		SubjectKeyId:          ski,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign authority certificate: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("parse new authority certificate: %v", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, errors.New("encode authority key: key type has no PKCS #8 form")
	}
	a, err := newAuthority([]*x509.Certificate{cert}, key, now)
	if err != nil {
		return nil, nil, fmt.Errorf("create authority: %v", err)
	}
	defer clear(keyDER)
	return a, encodeKey(keyDER), nil
}

func newAuthorityKey(t KeyType) (crypto.Signer, error) {
	switch t {
	case ECDSAP256, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("unknown key type %q, want %s, %s or %s", t, ECDSAP256, ECDSAP384, RSA4096)
}

// newSerial returns 128 random bits: within the 20 octets of RFC 5280, Section
// 4.1.2.2, and in practice neither zero nor ever drawn twice.
func newSerial() *big.Int {
	var octets [16]byte
	rand.Read(octets[:]) // never fails
	return new(big.Int).SetBytes(octets[:])
}

// keyID returns the leftmost 160 bits of the SHA-256 of a public key
// (RFC 7093, Section 2).
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}
