// Package decrypt runs TLS sessions between a client and an origin. It peeks at the
// client's first octets, asks the policy, and tunnels, terminates or bumps the
// session. A bumped session is two TLS connections joined in the middle. Taps see
// the cleartext between them.
//
// The package knows no interfaces, frames, configuration files or certificate
// stores. It takes what it needs of those as small interfaces: [Policy], [Forger],
// [Verifier], [Tap].
package decrypt

import (
	"context"
	"crypto/tls"
	"crypto/x509"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Policy decides the action for a session. It is asked again when more facts
// are known. Implementations are safe for concurrent use.
type Policy interface {
	Decide(facts *policy.Facts) policy.Decision
}

// Forger makes the certificate that the client is shown.
type Forger interface {
	// Forge returns a leaf that mimics chain[0], the origin's own certificate.
	// name is the server name of the client's hello, or empty. trusted selects
	// the authority that clients trust; otherwise the leaf is signed by the
	// untrusted one, so that the client's own warning appears. ecdsa reports
	// whether the client can verify ECDSA signatures. The result is shared and
	// must not be changed. Safe for concurrent use.
	Forge(ctx context.Context, chain []*x509.Certificate, name string, trusted, ecdsa bool) (*tls.Certificate, error)
}

// Verifier judges an origin.
type Verifier interface {
	// Verify returns nil for an origin that may be trusted as name, which may be
	// a DNS name or an IP address. Otherwise the error has a method
	// Reason() string, one of the typed reasons of package certs. Safe for
	// concurrent use.
	Verify(ctx context.Context, name string, state *tls.ConnectionState) error
}

// Assessor is a [Verifier] that also says what it learned of revocation, and what it
// fetched.
type Assessor interface {
	// Assess is Verify with a fixed word for the revocation status, "" if nobody
	// was asked, and the number of issuers' certificates that the origin had left out and
	// that were fetched.
	Assess(ctx context.Context, name string, state *tls.ConnectionState) (revocation string, fetched int, err error)
}
