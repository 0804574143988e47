package certs

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// clockSkew is how far a revocation source may be ahead of us.
const clockSkew = 5 * time.Minute

// CRL is a certificate revocation list. It holds 16 octets for each certificate
// that it lists, whatever the size of the file. It does not change; safe for
// concurrent use.
type CRL struct {
	rawIssuer  []byte
	scope      crlScope
	thisUpdate time.Time
	nextUpdate time.Time
	revoked    []serialDigest // sorted
	partial    bool           // has entries that are not understood: a missing serial proves nothing

	hash      crypto.Hash
	digest    []byte // of the signed part
	signature []byte
	rsa       bool
}

// serialDigest is the first half of a serial number's SHA-256.
type serialDigest [16]byte

func digestOfSerial(serial []byte) serialDigest {
	full := sha256.Sum256(serial)
	return serialDigest(full[:16])
}

var (
	oidCRLNumber        = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReasonCode       = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidDeltaCRL         = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidDistributionOnly = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCRLAuthorityKey  = asn1.ObjectIdentifier{2, 5, 29, 35}
)

// crlSignatures are the algorithms a list may be signed with (RFC 5758, RFC
// 4055): the hash, and whether it is RSA.
var crlSignatures = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
	rsa  bool
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, crypto.SHA256, true},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, crypto.SHA384, true},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, crypto.SHA512, true},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, crypto.SHA256, false},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, crypto.SHA384, false},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, crypto.SHA512, false},
}

var errCRL = errors.New("list cannot be understood")

// ParseCRL reads a list in DER form (RFC 5280, Section 5), which it borrows. The
// signature is verified when the list is used, as its issuer is known then. It
// takes base lists of their own issuer only: delta lists and indirect ones are
// errors, and so are SHA-1 and other signatures than RSA PKCS #1 and ECDSA.
func ParseCRL(der []byte) (*CRL, error) {
	input := cryptobyte.String(der)
	var outer, signed, algorithm cryptobyte.String
	var signature asn1.BitString
	if !input.ReadASN1(&outer, cbasn1.SEQUENCE) || !input.Empty() ||
		!outer.ReadASN1Element(&signed, cbasn1.SEQUENCE) ||
		!outer.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
		!outer.ReadASN1BitString(&signature) || !outer.Empty() {
		return nil, errCRL
	}
	c := &CRL{signature: bytes.Clone(signature.RightAlign())}
	if err := c.readAlgorithm(algorithm); err != nil {
		return nil, err
	}
	if err := c.readTBS(signed, algorithm); err != nil {
		return nil, err
	}
	h := c.hash.New()
	h.Write(signed)
	c.digest = h.Sum(nil)
	return c, nil
}

// readTBS reads tbsCertList, the signed part. It must name the same algorithm as
// the signature.
func (c *CRL) readTBS(signed, algorithm cryptobyte.String) error {
	var tbs, inner, issuer cryptobyte.String
	var version int
	if !signed.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.ReadASN1Integer(&version) || version != 1 ||
		!tbs.ReadASN1Element(&inner, cbasn1.SEQUENCE) || !bytes.Equal(inner, algorithm) ||
		!tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !readTime(&tbs, &c.thisUpdate) {
		return errCRL
	}
	c.rawIssuer = bytes.Clone(issuer)
	if hasTime(tbs) && !readTime(&tbs, &c.nextUpdate) {
		return errCRL
	}
	if tbs.PeekASN1Tag(cbasn1.SEQUENCE) {
		var list cryptobyte.String
		if !tbs.ReadASN1(&list, cbasn1.SEQUENCE) {
			return errCRL
		}
		if err := c.readEntries(list); err != nil {
			return err
		}
	}
	return c.readExtensions(&tbs)
}

func (c *CRL) readAlgorithm(element cryptobyte.String) error {
	var algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !element.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) {
		return errCRL
	}
	for _, known := range crlSignatures {
		if oid.Equal(known.oid) {
			c.hash, c.rsa = known.hash, known.rsa
			return nil
		}
	}
	return fmt.Errorf("list is signed with %v, which is weak or not supported", oid)
}

// readEntries reads revokedCertificates, twice: the first time it counts, so
// that memory is taken once.
func (c *CRL) readEntries(list cryptobyte.String) error {
	n := 0
	for rest := list; !rest.Empty(); n++ {
		if !rest.SkipASN1(cbasn1.SEQUENCE) {
			return errCRL
		}
	}
	c.revoked = make([]serialDigest, 0, n)
	for !list.Empty() {
		var entry, serial cryptobyte.String
		if !list.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1(&serial, cbasn1.INTEGER) ||
			!entry.SkipASN1(cbasn1.UTCTime) && !entry.SkipASN1(cbasn1.GeneralizedTime) {
			return errCRL
		}
		if !entry.Empty() {
			if err := eachExtension(&entry, cbasn1.SEQUENCE, func(id asn1.ObjectIdentifier, critical bool, _ cryptobyte.String) error {
				if critical && !id.Equal(oidReasonCode) {
					c.partial = true
				}
				return nil
			}); err != nil {
				return err
			}
		}
		c.revoked = append(c.revoked, digestOfSerial(serial))
	}
	slices.SortFunc(c.revoked, compareDigests)
	return nil
}

func compareDigests(a, b serialDigest) int { return bytes.Compare(a[:], b[:]) }

// readExtensions reads crlExtensions, the last member of the signed part. A
// CRL number is required, and must not be critical (RFC 5280, Section 5.2.3).
func (c *CRL) readExtensions(tbs *cryptobyte.String) error {
	wrapper := cbasn1.Tag(0).Constructed().ContextSpecific()
	var list cryptobyte.String
	if !tbs.ReadASN1(&list, wrapper) || !tbs.Empty() {
		return errors.New("list without a number")
	}
	numbered := false
	err := eachExtension(&list, cbasn1.SEQUENCE, func(id asn1.ObjectIdentifier, critical bool, value cryptobyte.String) error {
		switch {
		case id.Equal(oidCRLNumber):
			numbered = !critical
		case id.Equal(oidDeltaCRL):
			return errors.New("delta lists are not supported")
		case id.Equal(oidDistributionOnly):
			return c.scope.read(value)
		case id.Equal(oidCRLAuthorityKey): // the signature tells
		case critical:
			return fmt.Errorf("list has the unknown critical extension %v", id)
		}
		return nil
	})
	if err == nil && !numbered {
		err = errors.New("list without a number, or with a critical one")
	}
	return cmp.Or(err, emptyRest(list))
}

func emptyRest(s cryptobyte.String) error {
	if !s.Empty() {
		return errCRL
	}
	return nil
}

// eachExtension reads a sequence of extensions.
func eachExtension(in *cryptobyte.String, tag cbasn1.Tag, f func(id asn1.ObjectIdentifier, critical bool, value cryptobyte.String) error) error {
	var list cryptobyte.String
	if !in.ReadASN1(&list, tag) {
		return errCRL
	}
	for !list.Empty() {
		var extension, value cryptobyte.String
		var id asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&id) ||
			extension.PeekASN1Tag(cbasn1.BOOLEAN) && !extension.ReadASN1Boolean(&critical) ||
			!extension.ReadASN1(&value, cbasn1.OCTET_STRING) || !extension.Empty() {
			return errCRL
		}
		if err := f(id, critical, value); err != nil {
			return err
		}
	}
	return nil
}

func hasTime(s cryptobyte.String) bool {
	return s.PeekASN1Tag(cbasn1.UTCTime) || s.PeekASN1Tag(cbasn1.GeneralizedTime)
}

func readTime(s *cryptobyte.String, t *time.Time) bool {
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		return s.ReadASN1UTCTime(t)
	}
	return s.ReadASN1GeneralizedTime(t)
}

// lists reports whether a serial number is on the list.
func (c *CRL) lists(serial *big.Int) bool {
	var b cryptobyte.Builder
	b.AddASN1BigInt(serial)
	element, err := b.Bytes()
	if err != nil {
		return false
	}
	in, content := cryptobyte.String(element), cryptobyte.String(nil)
	in.ReadASN1(&content, cbasn1.INTEGER)
	_, found := slices.BinarySearchFunc(c.revoked, digestOfSerial(content), compareDigests)
	return found
}

// checkIssuer returns nil if issuer made the list and was entitled to (RFC 5280,
// Section 6.3.3 f and g).
func (c *CRL) checkIssuer(issuer *x509.Certificate) error {
	if !bytes.Equal(c.rawIssuer, issuer.RawSubject) {
		return errors.New("list of another issuer")
	}
	if hasExtension(issuer, oidKeyUsage) && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return fmt.Errorf("list by %s, whose key usage lacks cRLSign", nameOf(issuer))
	}
	if err := checkKey(issuer.PublicKey); err != nil {
		return fmt.Errorf("list by %s: %v", nameOf(issuer), err)
	}
	switch key := issuer.PublicKey.(type) {
	case *rsa.PublicKey:
		if c.rsa && rsa.VerifyPKCS1v15(key, c.hash, c.digest, c.signature) == nil {
			return nil
		}
	case *ecdsa.PublicKey:
		if !c.rsa && ecdsa.VerifyASN1(key, c.digest, c.signature) {
			return nil
		}
	}
	return errors.New("list's signature does not verify")
}

// status says what the list, whose issuer has been checked, knows of cert at
// now. A list that is out of date still revokes what it lists.
func (c *CRL) status(cert *x509.Certificate, now time.Time) (answer, error) {
	if c.thisUpdate.After(now.Add(clockSkew)) {
		return answer{}, fmt.Errorf("list from the future, %s", c.thisUpdate.Format(time.RFC3339))
	}
	if err := c.scope.covers(cert); err != nil {
		return answer{}, err
	}
	until := fresh(c.thisUpdate, c.nextUpdate)
	switch {
	case c.lists(cert.SerialNumber):
		return answer{status: statusRevoked, until: latest(until, now.Add(failureLifetime))}, nil
	case c.partial:
		return answer{}, errors.New("list has entries that cannot be understood")
	case !now.Before(until):
		return answer{}, fmt.Errorf("list ran out on %s", until.Format(time.RFC3339))
	case c.scope.someReasons:
		return answer{}, errors.New("list of some reasons only")
	}
	return answer{status: statusGood, until: until}, nil
}

// cost is the memory the list takes, in octets.
func (c *CRL) cost() int64 {
	return int64(len(c.revoked)*len(serialDigest{}) + len(c.rawIssuer) + len(c.signature) + 512)
}
