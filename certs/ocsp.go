package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// maxOCSP bounds an OCSP response in octets, stapled or fetched.
const maxOCSP = 64 << 10

// readOCSP verifies an OCSP response (RFC 6960) about cert and returns what it
// says at now. The response must be signed by the issuer, or by a responder
// that the issuer has certified for that; it must be about
// this certificate of this issuer, and of now. An error means that the response
// says nothing. A response that says "unknown" is one.
func readOCSP(der []byte, cert, issuer *x509.Certificate, now time.Time) (answer, error) {
	if len(der) > maxOCSP {
		return answer{}, fmt.Errorf("OCSP response of %d octets, want at most %d", len(der), maxOCSP)
	}
	// Without an issuer the package verifies the response by the certificate
	// within, if there is one: who may have signed it is checked here.
	response, err := ocsp.ParseResponseForCert(der, cert, nil)
	if err != nil {
		return answer{}, fmt.Errorf("read OCSP response: %w", err)
	}
	if weakSignature(response.SignatureAlgorithm) {
		return answer{}, fmt.Errorf("OCSP response is signed with %s", response.SignatureAlgorithm)
	}
	if err := checkResponder(response, issuer, now); err != nil {
		return answer{}, err
	}
	if err := checkCertID(response, issuer); err != nil {
		return answer{}, err
	}
	until := fresh(response.ThisUpdate, response.NextUpdate)
	switch {
	case response.ThisUpdate.After(now.Add(clockSkew)):
		return answer{}, fmt.Errorf("OCSP response from the future, %s", response.ThisUpdate.Format(time.RFC3339))
	case !now.Before(until):
		return answer{}, fmt.Errorf("OCSP response ran out on %s", until.Format(time.RFC3339))
	}
	switch response.Status {
	case ocsp.Good:
		return answer{status: statusGood, until: until}, nil
	case ocsp.Revoked:
		return answer{status: statusRevoked, until: until}, nil
	}
	return answer{}, errors.New("OCSP responder does not know the certificate")
}

// checkResponder returns nil if the issuer or its delegate has signed the
// response (RFC 6960, Section 4.2.2.2).
func checkResponder(response *ocsp.Response, issuer *x509.Certificate, now time.Time) error {
	if err := checkKey(issuer.PublicKey); err != nil {
		return fmt.Errorf("OCSP response by %s: %v", nameOf(issuer), err)
	}
	responder := response.Certificate
	if responder == nil || samePublicKey(responder.PublicKey, issuer.PublicKey) {
		if err := response.CheckSignatureFrom(issuer); err != nil {
			return fmt.Errorf("OCSP response is not signed by %s: %v", nameOf(issuer), err)
		}
		return nil
	}
	switch {
	case !slices.Contains(responder.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return fmt.Errorf("OCSP responder %s is not certified for OCSP", nameOf(responder))
	case hasExtension(responder, oidKeyUsage) && responder.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return fmt.Errorf("OCSP responder %s may not sign", nameOf(responder))
	case now.Before(responder.NotBefore) || now.After(responder.NotAfter):
		return fmt.Errorf("OCSP responder %s is out of date", nameOf(responder))
	case len(responder.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("OCSP responder %s has an unknown critical extension", nameOf(responder))
	case weakSignature(responder.SignatureAlgorithm):
		return fmt.Errorf("OCSP responder %s is signed with %s", nameOf(responder), responder.SignatureAlgorithm)
	case !bytes.Equal(responder.RawIssuer, issuer.RawSubject):
		return fmt.Errorf("OCSP responder %s is certified by another issuer", nameOf(responder))
	}
	if err := checkKey(responder.PublicKey); err != nil {
		return fmt.Errorf("OCSP responder %s: %v", nameOf(responder), err)
	}
	if err := issuer.CheckSignature(responder.SignatureAlgorithm, responder.RawTBSCertificate, responder.Signature); err != nil {
		return fmt.Errorf("OCSP responder %s is not certified by %s: %v", nameOf(responder), nameOf(issuer), err)
	}
	return nil
}

// checkCertID compares the issuer of which a response speaks: package ocsp looks
// at the serial number only, and one responder's key may serve several issuers.
func checkCertID(response *ocsp.Response, issuer *x509.Certificate) error {
	var data struct {
		Version    int `asn1:"optional,default:0,explicit,tag:0"`
		Responder  asn1.RawValue
		ProducedAt time.Time `asn1:"generalized"`
		Responses  []struct{ ID certID }
	}
	if _, err := asn1.Unmarshal(response.TBSResponseData, &data); err != nil {
		return fmt.Errorf("read OCSP response: %v", err)
	}
	var info struct {
		Algorithm asn1.RawValue
		PublicKey asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &info); err != nil {
		return fmt.Errorf("read issuer's key: %v", err)
	}
	if !response.IssuerHash.Available() {
		return fmt.Errorf("OCSP response names its issuer by %v", response.IssuerHash)
	}
	sum := func(octets []byte) []byte {
		h := response.IssuerHash.New()
		h.Write(octets)
		return h.Sum(nil)
	}
	for _, single := range data.Responses {
		if single.ID.Serial.Cmp(response.SerialNumber) != 0 {
			continue
		}
		// The first one with this serial number is the one that was read.
		if !bytes.Equal(single.ID.NameHash, sum(issuer.RawSubject)) || !bytes.Equal(single.ID.KeyHash, sum(info.PublicKey.RightAlign())) {
			return errors.New("OCSP response is about another issuer's certificate")
		}
		return nil
	}
	return errors.New("OCSP response is about another certificate")
}

// certID is CertID of RFC 6960, Section 4.1.1.
type certID struct {
	Algorithm         asn1.RawValue
	NameHash, KeyHash []byte
	Serial            *big.Int
}
