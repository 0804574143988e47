package certs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// IssuersConfig is how a [Judge] gets the certificates of issuers that an origin leaves
// out, from where the certificates below them say (RFC 5280, Section 4.2.2.1).
type IssuersConfig struct {
	Timeout time.Duration // for all that one judgement fetches; default 3 s
	Fetcher Fetcher       // nil: nothing is fetched
	Logger  *slog.Logger  // told when a fetch fails; nil discards
}

const (
	maxIssuerFile  = 64 << 10 // octets
	maxIssuerCerts = 16       // certificates of a file
	maxFetched     = 3        // issuers fetched for one judgement
	issuerLived    = sourceLifetime
)

// issuers fetches certificates of issuers. What it gets is trusted no more than what an
// origin sends: it may lead to a root. Safe for concurrent use.
type issuers struct {
	sources *sources
	timeout time.Duration
}

// newIssuers returns nil if nothing is to be fetched.
func newIssuers(cfg IssuersConfig) *issuers {
	if cfg.Fetcher == nil {
		return nil
	}
	return &issuers{newSources(cfg.Fetcher, 0, cfg.Logger), cmp.Or(cfg.Timeout, 3*time.Second)}
}

// complete looks for ways to the roots that lack certificates which certs, whose leaf is
// first, tell where to get. found is what was found without; the number is that of the
// certificates that were fetched and lead to a root. A file is fetched once a judgement at
// most, and remembered.
func (f *issuers) complete(ctx context.Context, certs []*x509.Certificate, now time.Time, found paths, find func([]*x509.Certificate) paths) (paths, int) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	for fetched := 1; fetched <= maxFetched; fetched++ {
		path := presentedPath(certs)
		last := path[len(path)-1]
		if selfIssued(last) || len(certs) >= maxPresented {
			return found, 0
		}
		issuer := f.issuerOf(ctx, last, now)
		if issuer == nil {
			return found, 0
		}
		certs = append(certs[:len(certs):len(certs)], issuer)
		if more := find(certs); more.err == nil || reasonOfX509(more.err) != UnknownIssuer {
			return more, fetched
		}
	}
	return found, 0
}

// issuerOf fetches the certificate whose key has signed cert, nil if it is not to be had.
func (f *issuers) issuerOf(ctx context.Context, cert *x509.Certificate, now time.Time) *x509.Certificate {
	for _, address := range plainHTTP(cert.IssuingCertificateURL) {
		got := f.sources.get(ctx, kindIssuer, address, nil, now, func(ctx context.Context) (source, time.Time, error) {
			file, err := f.sources.fetcher.Fetch(ctx, address, "", nil, maxIssuerFile)
			if err != nil {
				return source{}, time.Time{}, err
			}
			certs, err := parseIssuers(file)
			return source{issuers: certs}, now.Add(issuerLived), err
		})
		for _, candidate := range got.issuers {
			if bytes.Equal(candidate.RawSubject, cert.RawIssuer) && checkKey(candidate.PublicKey) == nil &&
				candidate.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil {
				return candidate
			}
		}
	}
	return nil
}

// parseIssuers reads what such files hold: a certificate in DER, or several in PEM or in
// a PKCS #7 message that has nothing else (RFC 5280, Section 4.2.2.1; RFC 5652).
func parseIssuers(file []byte) ([]*x509.Certificate, error) {
	if cert, err := x509.ParseCertificate(file); err == nil {
		return []*x509.Certificate{cert}, nil
	}
	if isPEM(file) {
		return parsePEMIssuers(file)
	}
	var message struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	if rest, err := asn1.Unmarshal(file, &message); err != nil || len(rest) > 0 || !message.Type.Equal(oidSignedData) {
		return nil, errors.New("neither a certificate nor PKCS #7")
	}
	var signed struct {
		Version      int
		Digests      asn1.RawValue
		Content      asn1.RawValue
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
	}
	if _, err := asn1.Unmarshal(message.Content.Bytes, &signed); err != nil {
		return nil, errors.New("PKCS #7 message cannot be read")
	}
	return parseAll(signed.Certificates.Bytes)
}

var oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} // RFC 5652, Section 5.1

func parsePEMIssuers(file []byte) ([]*x509.Certificate, error) {
	var all []byte
	for {
		var block *pem.Block
		if block, file = pem.Decode(file); block == nil {
			return parseAll(all)
		}
		switch block.Type {
		case "CERTIFICATE":
			all = append(all, block.Bytes...)
		case "PKCS7":
			return parseIssuers(block.Bytes)
		}
	}
}

// parseAll reads certificates that follow one another.
func parseAll(der []byte) (certs []*x509.Certificate, err error) {
	for len(der) > 0 {
		var one asn1.RawValue
		if der, err = asn1.Unmarshal(der, &one); err != nil {
			return nil, errors.New("certificates cannot be read")
		}
		if len(certs) == maxIssuerCerts {
			return nil, fmt.Errorf("more than %d certificates", maxIssuerCerts)
		}
		cert, err := x509.ParseCertificate(one.FullBytes)
		if err != nil {
			return nil, fmt.Errorf("parse certificate %d: %v", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("there is no certificate")
	}
	return certs, nil
}
