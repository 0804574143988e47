package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

// Forms of a GeneralName, by their tags (RFC 5280, Section 4.2.1.6).
const (
	formEmail     = 1
	formDNS       = 2
	formDirectory = 4
	formURI       = 6
	formIP        = 7
)

const (
	maxSubtrees       = 1_000     // of a certificate
	maxNameComparison = 1_000_000 // of names with subtrees, along a path
)

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// nameConstraints are those that crypto/x509 leaves alone (RFC 5280, Section 4.2.1.10).
// It obeys those on DNS names, addresses, mailboxes and URIs.
type nameConstraints struct {
	permitted, excluded []folded     // directory names
	others              map[int]bool // forms that nobody understands
}

// readNameConstraints returns nil if the certificate has none, or only what crypto/x509
// obeys.
func readNameConstraints(cert *x509.Certificate) (*nameConstraints, error) {
	i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidNameConstraints) })
	if i < 0 {
		return nil, nil
	}
	var value struct {
		Permitted asn1.RawValue `asn1:"optional,tag:0"`
		Excluded  asn1.RawValue `asn1:"optional,tag:1"`
	}
	if rest, err := asn1.Unmarshal(cert.Extensions[i].Value, &value); err != nil || len(rest) > 0 {
		return nil, errors.New("its name constraints cannot be read")
	}
	c := &nameConstraints{others: make(map[int]bool)}
	var err error
	if c.permitted, err = c.read(value.Permitted.Bytes); err == nil {
		c.excluded, err = c.read(value.Excluded.Bytes)
	}
	if err != nil {
		return nil, err
	}
	if len(c.permitted)+len(c.excluded)+len(c.others) == 0 {
		return nil, nil
	}
	return c, nil
}

// read returns the directory names of a list of subtrees, and notes forms that are not
// understood. A subtree has no bounds (RFC 5280, Section 4.2.1.10).
func (c *nameConstraints) read(der []byte) (names []folded, err error) {
	for n := 0; len(der) > 0; n++ {
		var subtree struct{ Base asn1.RawValue }
		if der, err = asn1.Unmarshal(der, &subtree); err != nil || n == maxSubtrees || subtree.Base.Class != asn1.ClassContextSpecific {
			return nil, errors.New("its name constraints cannot be read")
		}
		switch subtree.Base.Tag {
		case formDNS, formIP, formEmail, formURI:
		case formDirectory:
			name, err := foldName(subtree.Base.Bytes)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		default:
			c.others[subtree.Base.Tag] = true
		}
	}
	return names, nil
}

// check says which name of a certificate the constraints forbid.
func (c *nameConstraints) check(names *subjectNames) error {
	for form := range c.others {
		if names.forms[form] {
			return fmt.Errorf("a name of form %d is constrained, which clearspan cannot compare", form)
		}
	}
	for _, name := range names.directory {
		inside := func(base folded) bool { return name.within(base) }
		switch {
		case slices.ContainsFunc(c.excluded, inside):
			return errors.New("its directory name is excluded")
		case len(c.permitted) > 0 && !slices.ContainsFunc(c.permitted, inside):
			return errors.New("its directory name is not permitted")
		}
	}
	return nil
}

// subjectNames are the names of a certificate as far as [nameConstraints] ask.
type subjectNames struct {
	directory []folded
	forms     map[int]bool // of its alternative names
}

func readSubjectNames(cert *x509.Certificate) (*subjectNames, error) {
	n := &subjectNames{forms: make(map[int]bool)}
	subject, err := foldName(cert.RawSubject)
	if err != nil {
		return nil, err
	}
	if len(subject) > 0 {
		n.directory = append(n.directory, subject)
	}
	i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidSubjectAltName) })
	if i < 0 {
		return n, nil
	}
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(cert.Extensions[i].Value, &names); err != nil || len(rest) > 0 {
		return nil, errors.New("its alternative names cannot be read")
	}
	for _, name := range names {
		n.forms[name.Tag] = true
		if name.Tag == formDirectory {
			directory, err := foldName(name.Bytes)
			if err != nil {
				return nil, err
			}
			n.directory = append(n.directory, directory)
		}
	}
	return n, nil
}

// checkNameConstraints applies constraints on directory names along a path, and refuses
// those that cannot be applied to a name that is there.
func checkNameConstraints(path []*x509.Certificate) error {
	left := maxNameComparison
	for i := 1; i < len(path); i++ {
		c, err := readNameConstraints(path[i])
		if err != nil {
			return fmt.Errorf("%s: %v", nameOf(path[i]), err)
		}
		if c == nil {
			continue
		}
		for k, cert := range path[:i] {
			if k > 0 && selfIssued(cert) { // RFC 5280, Section 6.1.3, (b)
				continue
			}
			names, err := readSubjectNames(cert)
			if err == nil {
				if left -= len(names.directory) * (len(c.permitted) + len(c.excluded)); left < 0 {
					return errors.New("too many names and constraints")
				}
				err = c.check(names)
			}
			if err != nil {
				return fmt.Errorf("%s, below %s: %v", nameOf(cert), nameOf(path[i]), err)
			}
		}
	}
	return nil
}

// obeyed returns cert, or a copy of it that crypto/x509 takes although it does not obey
// all of its name constraints: they are for [checkNameConstraints].
func obeyed(cert *x509.Certificate) *x509.Certificate {
	unhandled := func(id asn1.ObjectIdentifier) bool { return id.Equal(oidNameConstraints) }
	if !slices.ContainsFunc(cert.UnhandledCriticalExtensions, unhandled) {
		return cert
	}
	c := *cert
	c.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(cert.UnhandledCriticalExtensions), unhandled)
	return &c
}
