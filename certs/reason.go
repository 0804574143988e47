package certs

import "slices"

// Reason is the fixed word for why an origin failed verification. Policy, audit
// entries and metrics use it. The reference page is generated from the comments.
type Reason string

// Reasons in order of precedence: an origin with several faults is refused for
// the one that stands first here. The first group is never something for a user
// to click through. Then comes what makes the certificate prove nothing at all,
// then what it may not be used for, then the name, and the dates last: an
// expired self-signed certificate is self-signed.
const (
	// Malformed: the origin showed no certificate, or one that clearspan cannot parse.
	// Cause: A broken server.
	// Do: Try `openssl s_client -connect ADDRESS:PORT -servername NAME`.
	Malformed Reason = "malformed"
	// OwnAuthority: the certificate is signed by the CA of clearspan, or has its key.
	// Cause: Two clearspan boxes in a row, or an attacker with the CA key.
	// Do: Tunnel the other box by a rule. Otherwise treat the CA key as stolen.
	OwnAuthority Reason = "own-authority"
	// TLSVersion: the origin uses an older TLS version than `origin.min_tls`.
	// Cause: An old server.
	// Do: Update the server, or tunnel it by a rule.
	TLSVersion Reason = "tls-version"
	// Revoked: the issuer revoked a certificate of the chain.
	// Cause: A stolen key, or a replaced certificate that the server still shows.
	// Do: Tell the operator of the server.
	Revoked Reason = "revoked"
	// WeakSignature: a certificate is signed with MD5, SHA-1 or an unknown algorithm.
	// Cause: An old internal CA.
	// Do: Renew the certificates of that CA.
	WeakSignature Reason = "weak-signature"

	// SelfSigned: the certificate is signed with its own key, and it is not trusted.
	// Cause: A device or a test server.
	// Do: Add the certificate to `origin.roots` if you trust it.
	SelfSigned Reason = "self-signed"
	// WeakKey: an RSA key has less than 2048 bits or an odd size, or a curve is small or
	// unknown.
	// Cause: An old server or CA.
	// Do: Renew the certificate.
	WeakKey Reason = "weak-key"
	// Constraint: an issuer may not sign for this certificate: path length, name
	// constraints, or the issuer is not a CA.
	// Cause: A faulty CA, or an attack.
	// Do: Read the key `tls_origin.finding`.
	Constraint Reason = "constraint"
	// UnknownIssuer: no path leads to a trusted root.
	// Cause: An internal CA, or a server that does not send its intermediate certificates.
	// Do: Add the root to `origin.roots`, or complete the chain on the server.
	UnknownIssuer Reason = "unknown-issuer"
	// BadUsage: the certificate is not for TLS servers, or it is a CA certificate.
	// Cause: A client or CA certificate on a server.
	// Do: Renew the certificate with server usage.
	BadUsage Reason = "bad-usage"

	// NameMismatch: the certificate is for another name.
	// Cause: A wrong certificate, an access by address, or a redirected connection.
	// Do: Compare `sni` with the names of the certificate.
	NameMismatch Reason = "name-mismatch"
	// Expired: a certificate of the chain has expired.
	// Cause: A forgotten renewal, or a wrong clock on this machine.
	// Do: Check the clock. Tell the operator of the server.
	Expired Reason = "expired"
	// NotYetValid: the validity of a certificate of the chain has not begun.
	// Cause: A wrong clock on this machine, or a new certificate.
	// Do: Check the clock.
	NotYetValid Reason = "not-yet-valid"
	// MustStaple: the certificate requires a stapled OCSP response, and there is none.
	// Cause: A server without OCSP stapling.
	// Do: Turn stapling on, on the server.
	MustStaple Reason = "must-staple"
	// RevocationUnknown: clearspan could not learn the revocation status, and
	// `origin.revocation.mode` is `hard`.
	// Cause: No way to the OCSP responders and lists, or private addresses.
	// Do: Allow HTTP from this machine. See `origin.revocation.allow` and `crl`.
	RevocationUnknown Reason = "revocation-unknown"
)

var reasons = []Reason{
	Malformed, OwnAuthority, TLSVersion, Revoked, WeakSignature,
	SelfSigned, WeakKey, Constraint, UnknownIssuer, BadUsage,
	NameMismatch, Expired, NotYetValid, MustStaple, RevocationUnknown,
}

// Reasons returns every reason in order of precedence.
func Reasons() []Reason { return slices.Clone(reasons) }

// OriginError says why an origin is not trusted. It does not change.
type OriginError struct {
	reason Reason
	err    error
}

// Reason returns one of the words of [Reasons].
func (e *OriginError) Reason() string { return string(e.reason) }

// Error returns the reason and what it was found in.
func (e *OriginError) Error() string {
	return "origin not trusted, " + string(e.reason) + ": " + e.err.Error()
}

// Unwrap returns the finding behind the reason, often an error of crypto/x509.
func (e *OriginError) Unwrap() error { return e.err }

// refuse returns nil if err is nil.
func refuse(reason Reason, err error) *OriginError {
	if err == nil {
		return nil
	}
	return &OriginError{reason: reason, err: err}
}
