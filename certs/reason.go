package certs

import "slices"

// Reason is the fixed word for why an origin was refused. Policy, audit entries
// and metrics use it.
type Reason string

// Reasons in order of precedence: an origin with several faults is refused for
// the one that stands first here. The first group is never something for a user
// to click through. Then comes what makes the certificate prove nothing at all,
// then what it may not be used for, then the name, and the dates last: an
// expired self-signed certificate is self-signed.
const (
	Malformed     Reason = "malformed"      // no certificate, or one that cannot be understood
	OwnAuthority  Reason = "own-authority"  // an inspection authority of ours is in its path
	TLSVersion    Reason = "tls-version"    // older TLS than allowed
	Revoked       Reason = "revoked"        // taken back by its issuer
	WeakSignature Reason = "weak-signature" // MD5, SHA-1 or an algorithm that is not supported

	SelfSigned    Reason = "self-signed"    // signed with its own key and not trusted itself
	WeakKey       Reason = "weak-key"       // RSA below 2048 bits or of an odd size, a small or unknown curve
	Constraint    Reason = "constraint"     // path length, name constraints, an issuer that is no CA
	UnknownIssuer Reason = "unknown-issuer" // no path to a root
	BadUsage      Reason = "bad-usage"      // not made for TLS servers, or a CA certificate

	NameMismatch      Reason = "name-mismatch"      // for another name
	Expired           Reason = "expired"            // a certificate of the path has run out
	NotYetValid       Reason = "not-yet-valid"      // a certificate of the path starts later
	MustStaple        Reason = "must-staple"        // demands a stapled OCSP response and has none
	RevocationUnknown Reason = "revocation-unknown" // its status could not be learned
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
