package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	maxAuthorityFile = 1 << 20  // octets of a certificate or key file
	maxRootsFile     = 16 << 20 // octets of a file of root certificates
	maxIssuers       = 8        // certificates in an authority's chain
)

// readFile returns the content of a regular file of at most limit octets.
// private asks that only the owner may access it. The mode is taken from the
// open file: nobody can exchange it in between.
func readFile(path string, limit int64, private bool) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if perm := info.Mode().Perm(); private && perm&0o077 != 0 {
		return nil, fmt.Errorf("%s: mode %04o lets other users access the key, want 0600", path, perm)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: longer than %d octets", path, limit)
	}
	// Read into one buffer: one that grows would leave pieces of a key behind.
	data := make([]byte, info.Size()+1)
	n, err := io.ReadFull(f, data)
	if err == nil {
		return nil, fmt.Errorf("%s: grew while it was read", path)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data[:n:n], nil
}

// isPEM reports whether data is text with PEM blocks in it.
func isPEM(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN ")) }

// parseCertificates returns the certificates among the PEM blocks of data, in
// order. Blocks of other kinds are passed over; a certificate that cannot be
// parsed, or none at all, is an error.
func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate %d: %v", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate in PEM form")
	}
	return certs, nil
}

// parseKey returns the first private key among the PEM blocks of data, which
// may be PKCS #8, SEC 1 or PKCS #1. Its errors never quote the input.
func parseKey(data []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, errors.New("no private key in PEM form")
		}
		key, err := parseKeyBlock(block)
		clear(block.Bytes)
		if !errors.Is(err, errNoKey) {
			return key, err
		}
	}
}

// parseKeyBlock returns the private key in a block, errNoKey if the block is of
// another kind.
func parseKeyBlock(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = parseUnencrypted(block, x509.ParseECPrivateKey)
	case "RSA PRIVATE KEY":
		key, err = parseUnencrypted(block, x509.ParsePKCS1PrivateKey)
	case "ENCRYPTED PRIVATE KEY":
		err = errEncrypted
	default:
		return nil, errNoKey
	}
	if errors.Is(err, errEncrypted) {
		return nil, err
	}
	if err != nil {
		// What the parser says is not passed on: it is about secret octets.
		return nil, errors.New("private key is damaged or of an unknown kind")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("private key cannot sign")
	}
	return signer, nil
}

var (
	errNoKey     = errors.New("no private key")
	errEncrypted = errors.New("private key is encrypted, want it in clear: openssl pkey -in FILE -out CLEAR decrypts it")
)

func parseUnencrypted[K any](block *pem.Block, parse func([]byte) (K, error)) (any, error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, errEncrypted
	}
	return parse(block.Bytes)
}

// encodeCertificates returns the PEM form of certs, in order.
func encodeCertificates(certs []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, cert := range certs {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	return out.Bytes()
}
