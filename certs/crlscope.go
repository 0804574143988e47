package certs

import (
	"crypto/x509"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// crlScope is the issuing distribution point of a list (RFC 5280, Section
// 5.2.5): which certificates of its issuer it speaks of. The zero value: all.
type crlScope struct {
	named       bool     // it is for certificates that point at one of urls
	urls        []string // of the distribution point
	onlyUsers   bool
	onlyCAs     bool
	someReasons bool // a missing serial may be revoked for another reason
}

func contextTag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific() }

// read takes an IssuingDistributionPoint. Indirect lists and those of attribute
// certificates are errors.
func (s *crlScope) read(value cryptobyte.String) error {
	var point cryptobyte.String
	if !value.ReadASN1(&point, cbasn1.SEQUENCE) || !value.Empty() {
		return errCRL
	}
	var name cryptobyte.String
	if !point.ReadOptionalASN1(&name, &s.named, contextTag(0).Constructed()) {
		return errCRL
	}
	if s.named {
		if err := s.readName(name); err != nil {
			return err
		}
	}
	var indirect, attributes bool
	for !point.Empty() {
		var content cryptobyte.String
		var tag cbasn1.Tag
		if !point.ReadAnyASN1(&content, &tag) {
			return errCRL
		}
		set := len(content) == 1 && content[0] != 0
		switch tag {
		case contextTag(1):
			s.onlyUsers = set
		case contextTag(2):
			s.onlyCAs = set
		case contextTag(3):
			s.someReasons = true
		case contextTag(4):
			indirect = set
		case contextTag(5):
			attributes = set
		default:
			return errCRL
		}
	}
	if indirect || attributes {
		return errors.New("indirect lists and lists of attribute certificates are not supported")
	}
	return nil
}

// readName keeps the URLs of a DistributionPointName. A relative name is kept as
// none: such a list covers nothing.
func (s *crlScope) readName(name cryptobyte.String) error {
	var full, content cryptobyte.String
	var present bool
	if !name.ReadOptionalASN1(&full, &present, contextTag(0).Constructed()) {
		return errCRL
	}
	for present && !full.Empty() {
		var tag cbasn1.Tag
		if !full.ReadAnyASN1(&content, &tag) {
			return errCRL
		}
		if tag == contextTag(6) { // uniformResourceIdentifier
			s.urls = append(s.urls, string(content))
		}
	}
	return nil
}

// covers returns nil if the list speaks of cert. Without the comparison of names
// somebody in the way could answer with another part of the same issuer's list.
func (s *crlScope) covers(cert *x509.Certificate) error {
	if s.onlyUsers && cert.IsCA || s.onlyCAs && !cert.IsCA {
		return errors.New("list of another kind of certificates")
	}
	if s.named && !slices.ContainsFunc(cert.CRLDistributionPoints, func(url string) bool { return slices.Contains(s.urls, url) }) {
		return errors.New("list of another distribution point")
	}
	return nil
}
