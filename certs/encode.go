package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/bits"
	"time"
	"unicode"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidECDSAWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2} // RFC 5758, Section 3.2
	oidECDSAWithSHA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSAWithSHA512 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}

	oidServerAuth = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1} // RFC 5280, Section 4.2.1.12

	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidSubjectNames     = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidDistribution     = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

var emptySequence = []byte{0x30, 0}

// signLeaf returns the certificate that template describes, for key,
// signed by a. Of template it reads what [Forger.sign] sets.
//
// [x509.CreateCertificate] gives the same octets, and verifies its own signature,
// which takes twice the time of the rest. That is for signers that somebody else
// wrote: keys in tokens, and RSA, where it is cheap beside the signature and a
// wrong one can give the key away. For an ECDSA key in memory, known to be the
// certificate's, it is left out, as crypto/tls does.
func signLeaf(template *x509.Certificate, a *Authority, key leafKey) ([]byte, error) {
	own, ok := a.key.(*ecdsa.PrivateKey)
	if !ok {
		return x509.CreateCertificate(rand.Reader, template, a.Certificate(), key.signer.Public(), a.key)
	}
	hash, algorithm, err := ecdsaAlgorithm(own)
	if err != nil {
		return nil, err
	}
	tbs, err := encodeTBS(template, a.Certificate(), key.spki, algorithm)
	if err != nil {
		return nil, err
	}
	h := hash.New()
	h.Write(tbs)
	signature, err := own.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		return nil, err
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, len(tbs)+256))
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		addAlgorithm(b, algorithm)
		b.AddASN1BitString(signature)
	})
	return b.Bytes()
}

// ecdsaAlgorithm returns how a key signs: by the hash of its curve's strength.
func ecdsaAlgorithm(key *ecdsa.PrivateKey) (crypto.Hash, asn1.ObjectIdentifier, error) {
	switch key.Curve.Params().BitSize {
	case 256:
		return crypto.SHA256, oidECDSAWithSHA256, nil
	case 384:
		return crypto.SHA384, oidECDSAWithSHA384, nil
	case 521:
		return crypto.SHA512, oidECDSAWithSHA512, nil
	}
	return 0, nil, fmt.Errorf("sign by a curve of %d bits", key.Curve.Params().BitSize)
}

// encodeTBS returns the TBSCertificate (RFC 5280, Section 4.1) in DER.
func encodeTBS(template, issuer *x509.Certificate, spki []byte, algorithm asn1.ObjectIdentifier) ([]byte, error) {
	subject := template.RawSubject
	if len(subject) == 0 {
		var err error
		if subject, err = asn1.Marshal(template.Subject.ToRDNSequence()); err != nil {
			return nil, err
		}
	}
	for _, name := range template.DNSNames {
		for i := range len(name) {
			if name[i] > unicode.MaxASCII {
				return nil, fmt.Errorf("%q is not a DNS name", name)
			}
		}
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, 1024))
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) }) // v3
		b.AddASN1BigInt(template.SerialNumber)
		addAlgorithm(b, algorithm)
		b.AddBytes(issuer.RawSubject)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, template.NotBefore)
			addTime(b, template.NotAfter)
		})
		b.AddBytes(subject)
		b.AddBytes(spki)
		b.AddASN1(cbasn1.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addExtensions(b, template, bytes.Equal(subject, emptySequence))
			})
		})
	})
	return b.Bytes()
}

func addAlgorithm(b *cryptobyte.Builder, algorithm asn1.ObjectIdentifier) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(algorithm) })
}

// addTime adds a Time (RFC 5280, Section 4.1.2.5).
func addTime(b *cryptobyte.Builder, t time.Time) {
	if t = t.UTC(); t.Year() < 1950 || t.Year() >= 2050 {
		b.AddASN1GeneralizedTime(t)
		return
	}
	b.AddASN1UTCTime(t)
}

func addExtensions(b *cryptobyte.Builder, template *x509.Certificate, noSubject bool) {
	addExtension(b, oidKeyUsage, true, func(b *cryptobyte.Builder) {
		usage := bits.Reverse8(uint8(template.KeyUsage))
		if usage == 0 || template.KeyUsage > 0xff {
			b.SetError(errors.New("not the key usage of a leaf"))
			return
		}
		b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) {
			b.AddUint8(uint8(bits.TrailingZeros8(usage)))
			b.AddUint8(usage)
		})
	})
	addExtension(b, oidExtendedKeyUsage, false, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidServerAuth) })
	})
	addExtension(b, oidBasicConstraints, true, func(b *cryptobyte.Builder) { b.AddBytes(emptySequence) }) // no CA
	addExtension(b, oidSubjectKeyID, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(template.SubjectKeyId) })
	if len(template.AuthorityKeyId) > 0 {
		addExtension(b, oidAuthorityKeyID, false, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { addImplicit(b, 0, template.AuthorityKeyId) })
		})
	}
	if len(template.DNSNames)+len(template.IPAddresses) > 0 {
		addExtension(b, oidSubjectNames, noSubject, func(b *cryptobyte.Builder) { addNames(b, template) })
	}
	if len(template.CRLDistributionPoints) > 0 {
		addExtension(b, oidDistribution, false, func(b *cryptobyte.Builder) { addDistribution(b, template.CRLDistributionPoints) })
	}
}

func addExtension(b *cryptobyte.Builder, id asn1.ObjectIdentifier, critical bool, value func(*cryptobyte.Builder)) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id)
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1(cbasn1.OCTET_STRING, value)
	})
}

// addImplicit adds octets under a context-specific tag.
func addImplicit(b *cryptobyte.Builder, tag uint8, octets []byte) {
	b.AddASN1(cbasn1.Tag(tag).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(octets) })
}

// addNames adds GeneralNames (RFC 5280, Section 4.2.1.6).
func addNames(b *cryptobyte.Builder, template *x509.Certificate) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, name := range template.DNSNames {
			addImplicit(b, 2, []byte(name))
		}
		for _, ip := range template.IPAddresses {
			if v4 := ip.To4(); v4 != nil {
				ip = v4
			}
			addImplicit(b, 7, ip)
		}
	})
}

// addDistribution adds CRLDistributionPoints (RFC 5280, Section 4.2.1.13).
func addDistribution(b *cryptobyte.Builder, urls []string) {
	constructed := cbasn1.Tag(0).ContextSpecific().Constructed()
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, url := range urls {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(constructed, func(b *cryptobyte.Builder) {
					b.AddASN1(constructed, func(b *cryptobyte.Builder) { addImplicit(b, 6, []byte(url)) })
				})
			})
		}
	})
}
