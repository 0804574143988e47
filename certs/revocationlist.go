package certs

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"
)

const (
	crlLifetime = 7 * 24 * time.Hour
	crlRefresh  = 24 * time.Hour // a list this old is signed anew
)

// RevocationList keeps an authority's certificate revocation list (RFC 5280,
// Section 5), which is always empty: leaves live for a day, and one that should
// not be believed ends with its session. It exists for clients that refuse
// certificates without one. Safe for concurrent use.
type RevocationList struct {
	authority *Authority
	now       func() time.Time

	mu     sync.Mutex
	der    []byte
	signed time.Time
}

// NewRevocationList signs the first list of an authority. That fails if the
// authority may not sign any.
func NewRevocationList(a *Authority, now func() time.Time) (*RevocationList, error) {
	if now == nil {
		now = time.Now
	}
	if cert := a.Certificate(); hasExtension(cert, oidKeyUsage) && cert.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return nil, errors.New("sign revocation list: the authority may not, by its key usage")
	}
	l := &RevocationList{authority: a, now: now}
	if _, err := l.DER(); err != nil {
		return nil, err
	}
	return l, nil
}

// Name is the list's file name: the authority's key identifier and ".crl".
func (l *RevocationList) Name() string { return CRLName(l.authority) }

// CRLName is the file name of an authority's revocation list.
func CRLName(a *Authority) string { return hex.EncodeToString(a.Certificate().SubjectKeyId) + ".crl" }

// DER returns the current list, which the caller must not change. It is signed
// once a day and good for a week.
func (l *RevocationList) DER() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if age := now.Sub(l.signed); l.der != nil && age >= 0 && age < crlRefresh {
		return l.der, nil
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number:     big.NewInt(now.Unix()), // grows (RFC 5280, Section 5.2.3)
		ThisUpdate: now.Add(-backdate),
		NextUpdate: now.Add(crlLifetime),
	}, l.authority.Certificate(), l.authority.key)
	if err != nil {
		return nil, fmt.Errorf("sign revocation list: %v", err)
	}
	l.der, l.signed = der, now
	return der, nil
}
