package decrypt

import (
	"crypto/tls"
	"fmt"
	"time"
)

// ClientOptions are what operators choose for the legs of clients.
type ClientOptions struct {
	MinTLS           uint16        // lowest version; default TLS 1.2
	HandshakeTimeout time.Duration // for each handshake of either leg, and for the first flight; default 10 s
	SilenceTimeout   time.Duration // how long both ends may say nothing at all from the start; default 1 min
	IdleTimeout      time.Duration // how long nothing may move; default 1 h
	// FullHandshakes switches resumption off. Otherwise a client may resume a session
	// with the same origin, certificates, verdict and authority, for as long as the leaf
	// holds and an engine's keys do. No early data is taken.
	FullHandshakes bool
}

// OriginOptions are what operators choose for the legs of origins.
type OriginOptions struct {
	MinTLS         uint16        // lowest version; default TLS 1.2
	ConnectTimeout time.Duration // for the TCP handshake; default 10 s
	Resolve        Resolve       // default ResolveDestination
	OnInvalid      OnInvalid
	// ClientCertificate is the answer to a certificate request; default AnswerNone.
	ClientCertificate CertificateRequest
	// FullHandshakes switches resumption off. Otherwise origins are offered the sessions
	// that they had with the same client in the last hour. They are judged in either
	// case, and no early data is sent.
	FullHandshakes bool
}

// Limits bound what clients take from an engine.
type Limits struct {
	// Pending is how many sessions a client address (of IPv6, its /64) may have at a
	// time in which its handshake is not complete, or nothing was said; the next one
	// is reset. 0 is no limit.
	Pending int
}

// Resolve says where sessions with a server name go.
type Resolve string

const (
	ResolveDestination Resolve = "destination" // where the client sent them
	// ResolveSNI: to an address of the server name, where the intake knows a
	// [Incoming.Route]. A name without an address ends the session.
	ResolveSNI Resolve = "sni"
)

// OnInvalid says what follows by the reason why an origin failed.
type OnInvalid struct {
	Default  Response            // for other reasons than those of ByReason; "": Block
	ByReason map[string]Response // exceptions
}

// Action returns what follows for reason.
func (o OnInvalid) Action(reason string) Response {
	if r, ok := o.ByReason[reason]; ok {
		return r
	}
	if o.Default == "" {
		return Block
	}
	return o.Default
}

// Response is what follows when an origin is found not trustworthy.
type Response string

const (
	// Untrusted forges under the untrusted authority: the client's own warning
	// appears.
	Untrusted Response = "untrusted"
	// Block ends the session.
	Block Response = "block"
	// PassOn tunnels: the client judges the origin's certificate itself.
	PassOn Response = "tunnel"
)

// CertificateRequest is what follows when an origin asks for a client
// certificate, which a bumped session cannot give.
type CertificateRequest string

const (
	// TunnelRequest starts over and tunnels, whoever the origin is. A dialogue that has
	// turned to TLS cannot be started over: there it is AnswerNone, for MySQL servers ask
	// everybody.
	TunnelRequest CertificateRequest = "tunnel"
	// BlockRequest ends the session.
	BlockRequest CertificateRequest = "block"
	// AnswerNone sends an empty list; the origin may go on without. A host of
	// [Config.CertificateHost] is tunneled instead if the destination has that name, and
	// an origin that insists is learned if its name resolves to it.
	AnswerNone CertificateRequest = "none"
)

// complete fills in defaults and reports words that mean nothing.
func (c *Config) complete() error {
	setDefault(&c.Client.MinTLS, tls.VersionTLS12)
	setDefault(&c.Client.HandshakeTimeout, 10*time.Second)
	setDefault(&c.Client.SilenceTimeout, time.Minute)
	setDefault(&c.Client.IdleTimeout, time.Hour)
	setDefault(&c.Origin.MinTLS, tls.VersionTLS12)
	setDefault(&c.Origin.ConnectTimeout, 10*time.Second)
	setDefault(&c.Origin.Resolve, ResolveDestination)
	setDefault(&c.Origin.ClientCertificate, AnswerNone)
	setDefault(&c.Refusal.Answer, TellRefused)
	setDefault(&c.Silence, 100*time.Millisecond)
	switch c.Origin.ClientCertificate {
	case TunnelRequest, BlockRequest, AnswerNone:
		return nil
	}
	return fmt.Errorf("configure engine: unknown answer %q to certificate requests", c.Origin.ClientCertificate)
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
