package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	oidKeyUsage        = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidTLSFeature      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}
)

// statusRequest is the TLS feature, and TLS extension, of OCSP stapling
// (RFC 7633, Section 6).
const statusRequest = 5

// maxRSA bounds RSA keys as crypto/tls does: a signature by a longer one takes
// long to verify.
const maxRSA = 8192

// checkKey says what is wrong with the size or kind of a public key.
func checkKey(public crypto.PublicKey) error {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 {
			return fmt.Errorf("RSA key of %d bits, want 2048 or more", bits)
		} else if bits > maxRSA {
			return fmt.Errorf("RSA key of %d bits, want at most %d", bits, maxRSA)
		} else if bits%8 != 0 {
			return fmt.Errorf("RSA key of %d bits, want a whole number of octets", bits)
		}
		return nil
	case *ecdsa.PublicKey:
		if bits := k.Params().BitSize; bits < 256 {
			return fmt.Errorf("ECDSA key on a curve of %d bits, want 256 or more", bits)
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return errors.New("public key of an unsupported kind")
}

// checkKeys returns the first fault of the keys of certs.
func checkKeys(certs []*x509.Certificate) error {
	for _, cert := range certs {
		if err := checkKey(cert.PublicKey); err != nil {
			return fmt.Errorf("%s: %v", nameOf(cert), err)
		}
	}
	return nil
}

// checkSignatureAlgorithms looks at every signature that a verifier relies on:
// all but those of self-signed certificates.
func checkSignatureAlgorithms(certs []*x509.Certificate) error {
	for _, cert := range certs {
		if weakSignature(cert.SignatureAlgorithm) && !selfIssued(cert) {
			return fmt.Errorf("%s is signed with %s", nameOf(cert), cert.SignatureAlgorithm)
		}
	}
	return nil
}

func weakSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return false
	}
	return true
}

// checkServerUsage says why a leaf is not one of a TLS server.
func checkServerUsage(leaf *x509.Certificate) error {
	switch {
	case leaf.IsCA:
		return errors.New("it is a CA certificate")
	case hasExtension(leaf, oidKeyUsage) && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		// Every key exchange we offer has the server sign (RFC 8446, Section 4.4.2.2).
		return errors.New("its key usage lacks digitalSignature")
	case leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return errors.New("its key usage is a CA's")
	case !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		return errors.New("its extended key usage lacks serverAuth")
	case slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny):
		return errors.New("its extended key usage is any")
	}
	return nil
}

// checkStaple refuses a leaf that demands a stapled OCSP response (RFC 7633,
// Section 4.2.3) and comes without one that is good, whatever the mode of
// revocation.
func checkStaple(leaf *x509.Certificate, chains [][]*x509.Certificate, staple []byte, now time.Time) *OriginError {
	demanded, err := isMustStaple(leaf)
	if err != nil {
		return refuse(MustStaple, err)
	}
	if !demanded {
		return nil
	}
	if len(staple) == 0 {
		return refuse(MustStaple, errors.New("it must come with a stapled OCSP response"))
	}
	for _, chain := range chains {
		if len(chain) < 2 {
			continue
		}
		var a answer
		if a, err = readOCSP(staple, leaf, chain[1], now); err != nil {
			continue
		}
		if a.status == statusRevoked {
			return refuse(Revoked, fmt.Errorf("%s has been revoked", nameOf(leaf)))
		}
		return nil
	}
	if err == nil {
		err = errors.New("it is its own issuer")
	}
	return refuse(MustStaple, fmt.Errorf("its stapled OCSP response is not valid: %w", err))
}

func isMustStaple(leaf *x509.Certificate) (bool, error) {
	for _, ext := range leaf.Extensions {
		if !ext.Id.Equal(oidTLSFeature) {
			continue
		}
		var features []int
		if rest, err := asn1.Unmarshal(ext.Value, &features); err != nil || len(rest) > 0 {
			return false, errors.New("its TLS feature extension cannot be understood")
		}
		if slices.Contains(features, statusRequest) {
			return true, nil
		}
	}
	return false, nil
}

// checkIssuers looks along a path that did not verify for an issuer that made a
// good signature but had no right to.
func checkIssuers(path []*x509.Certificate) error {
	for i := 1; i < len(path); i++ {
		child, issuer := path[i-1], path[i]
		if issuer.BasicConstraintsValid && issuer.IsCA && usableForCertificates(issuer) {
			continue
		}
		if issuer.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature) == nil {
			return fmt.Errorf("%s is signed by %s, which may not sign certificates", nameOf(child), nameOf(issuer))
		}
	}
	return nil
}

// usableForCertificates reports whether the key usage of cert, if it has one,
// lets it sign others (RFC 5280, Section 4.2.1.3).
func usableForCertificates(cert *x509.Certificate) bool {
	return !hasExtension(cert, oidKeyUsage) || cert.KeyUsage&x509.KeyUsageCertSign != 0
}

// selfIssued reports whether issuer and subject are the same name.
func selfIssued(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, cert.RawSubject)
}

// selfSigned reports whether cert is signed with its own key. A signature too
// weak to be verified is believed.
func selfSigned(cert *x509.Certificate) bool {
	return selfIssued(cert) && (weakSignature(cert.SignatureAlgorithm) ||
		cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil)
}

func hasExtension(cert *x509.Certificate, id asn1.ObjectIdentifier) bool {
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(id) {
			return true
		}
	}
	return false
}

// nameOf names a certificate in an error, quoted: the words are the origin's.
func nameOf(cert *x509.Certificate) string {
	name := cert.Subject.CommonName
	if name == "" {
		name = cert.Subject.String()
	}
	if len(name) > 2*maxCommonName {
		name = name[:2*maxCommonName]
	}
	return fmt.Sprintf("certificate %q", name)
}
