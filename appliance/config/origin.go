package config

import (
	"fmt"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Origin is how origins are reached and judged.
type Origin struct {
	// Roots are PEM files of trusted roots; "system" stands for the system's
	// own. Default: system.
	Roots []string
	// MinTLS is the lowest version accepted of an origin: tls.VersionTLS12, the
	// default, or tls.VersionTLS13.
	MinTLS uint16
	// ConnectTimeout bounds the TCP handshake. Default 10s.
	ConnectTimeout time.Duration
	Revocation     Revocation
	OnInvalid      OnInvalid
	// ClientCertificate is the answer to a certificate request. Default tunnel.
	ClientCertificate decrypt.CertificateRequest
	// Resolve says which address a session with a server name goes to. Default
	// destination.
	Resolve Resolve
	// ALPNOffer are the application protocols that an origin is offered at most,
	// where no rule says otherwise. Default nil: those of the client.
	ALPNOffer []string
	// Resumption offers origins the sessions that they had with the same client.
	// Default true.
	Resumption bool
}

// Resolve is where sessions with a server name go.
type Resolve string

const (
	ResolveDestination Resolve = "destination" // where the client sent them
	ResolveSNI         Resolve = "sni"         // to an address of the server name; not in mode wire and static
)

// OnInvalid chooses an action by the reason why an origin failed.
type OnInvalid struct {
	// Default is for reasons without an action of their own. Default untrusted.
	Default decrypt.Response
	// ByReason holds the exceptions. Unless the file says otherwise: block for
	// revoked, weak-signature, malformed, tls-version and own-authority.
	ByReason map[string]decrypt.Response
}

// Action returns the action for reason.
func (o OnInvalid) Action(reason string) decrypt.Response {
	if a, ok := o.ByReason[reason]; ok {
		return a
	}
	return o.Default
}

// reasons are why an origin can fail verification.
var reasons = []string{
	"expired", "not-yet-valid", "name-mismatch", "unknown-issuer", "self-signed", "revoked", "revocation-unknown",
	"weak-key", "weak-signature", "bad-usage", "must-staple", "constraint", "malformed", "tls-version", "own-authority",
}

// blocked are those whose sessions end unless the file says otherwise.
var blocked = []string{"revoked", "weak-signature", "malformed", "own-authority", "tls-version"}

func (r *reader) origin(n *node) (o Origin) {
	t := r.table(n, "origin")
	o.Roots = r.roots(t, []string{"system"})
	o.ALPNOffer = values(t, "alpn_offer", nil, parseALPN)
	o.Revocation = r.revocation(t.get("revocation"))
	o.OnInvalid = r.onInvalid(t.get("on_invalid"))
	t.fill("origin", "", &o)
	t.close()
	return o
}

// roots reads the key roots: PEM files, or "system".
func (r *reader) roots(t *table, def []string) []string {
	file := parseFile(r.dir)
	return values(t, "roots", def, func(s string) (string, error) {
		if s == "system" {
			return s, nil
		}
		return file(s)
	})
}

// onInvalid reads the table n. Reasons without a key of their own have the default
// action, but some are blocked unless the file says otherwise.
func (r *reader) onInvalid(n *node) (o OnInvalid) {
	t := r.table(n, "on_invalid")
	t.fill("origin.on_invalid", "", &o)
	o.ByReason = make(map[string]decrypt.Response, len(blocked))
	for _, reason := range blocked {
		o.ByReason[reason] = decrypt.Block
	}
	for _, reason := range reasons {
		if !t.has(reason) {
			continue
		}
		parse := oneOf(decrypt.Block, decrypt.Untrusted, decrypt.PassOn)
		if reason == "own-authority" {
			parse = alwaysBlocked
		}
		o.ByReason[reason] = value(t, reason, decrypt.Block, parse)
	}
	t.close()
	return o
}

// alwaysBlocked guards the reason that leaves no choice: an origin that holds a
// certificate of our own authority may be an attacker who has its key.
func alwaysBlocked(s string) (decrypt.Response, error) {
	if s != decrypt.Block.String() {
		return 0, fmt.Errorf("an origin that holds a certificate of our own is always blocked, not %q", s)
	}
	return decrypt.Block, nil
}
