package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Listing is what can be said of a [Directory] without its keys.
type Listing struct {
	Signing  *x509.Certificate
	Next     *x509.Certificate // nil if no rotation is planned
	From     time.Time         // when Next signs
	Exported []*x509.Certificate
	Old      []*x509.Certificate // what was replaced, the one that began last first
}

// List reads the certificates as they are at now, and changes nothing.
func (d Directory) List(now time.Time) (*Listing, error) {
	signing, err := LoadCertificate(d.CertFile())
	if err != nil {
		return nil, err
	}
	l := &Listing{Signing: signing, Exported: []*x509.Certificate{signing}}
	old, err := d.readOld()
	if err != nil {
		return nil, err
	}
	for _, cert := range old {
		l.Old = append(l.Old, cert)
	}
	slices.SortFunc(l.Old, func(a, b *x509.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	r, err := d.readRotation()
	if err != nil || r == nil {
		return l, err
	}
	pending, err := d.successorExists()
	if err != nil {
		return nil, err
	}
	if !pending {
		if cert := old[r.Previous]; cert != nil && now.Before(r.OverlapUntil) {
			l.Exported = append(l.Exported, cert)
		}
		return l, nil
	}
	next, err := LoadCertificate(d.file(nextCertName))
	if err != nil {
		return nil, fmt.Errorf("successor of the authority: %w", err)
	}
	l.Next, l.From = next, r.SignsFrom
	l.Exported = append(l.Exported, next)
	return l, nil
}

// LoadCertificate returns the first certificate of a PEM file.
func LoadCertificate(file string) (*x509.Certificate, error) {
	data, err := readFile(file, maxAuthorityFile, false)
	if err != nil {
		return nil, fmt.Errorf("load authority certificate: %w", err)
	}
	certs, err := parseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("load authority certificate: %s: %v", file, err)
	}
	return certs[0], nil
}

// Fingerprint returns the SHA-256 of a certificate in the form that browsers and
// openssl show: upper case, octets joined by colons.
func Fingerprint(cert *x509.Certificate) string {
	return (&Authority{chain: []*x509.Certificate{cert}}).Fingerprint()
}
