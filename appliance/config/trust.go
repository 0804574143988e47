package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Authority names the files of the two inspection authorities. A pair that is
// not named is created in [Config.AuthorityDir].
type Authority struct {
	// Certificate is a PEM file of the authority that clients trust, or both are
	// one PKCS #12 file; Key may be a PKCS #11 URI ("pkcs11:...") that names its
	// key in a token.
	Certificate, Key string
	// UntrustedCertificate and UntrustedKey are those of the authority that
	// nobody trusts: it signs for origins that fail verification.
	UntrustedCertificate, UntrustedKey string
	// PassphraseFile holds, in its first line, the passphrase of keys that are
	// encrypted. New keys are then encrypted, too.
	PassphraseFile string
	// Publish is "ADDRESS:PORT" of a web page with the certificate and how to
	// install it; empty for none.
	Publish string
}

// Leaf is how leaves are forged.
type Leaf struct {
	// Lifetime bounds a leaf's validity. Default 24h; 1h to 4320h (180 days),
	// as clients refuse leaves that live longer.
	Lifetime time.Duration
	// Cache is how many leaves are kept. Default 100000.
	Cache int
	// CRL is where clients find our revocation list, an http address without a
	// slash at its end, below which the file lies; empty for leaves that name
	// none. "true" in the file stands for the address of Authority.Publish.
	CRL string
}

var defaultLeaf = Leaf{Lifetime: 24 * time.Hour, Cache: 100_000}

// Client is how the client leg is run.
type Client struct {
	// MinTLS is the lowest version offered to clients: tls.VersionTLS12, the
	// default, or tls.VersionTLS13.
	MinTLS uint16
	// HandshakeTimeout bounds the client's handshake, from the first octet of its
	// hello to the end of that, and then what follows. Default 10s.
	HandshakeTimeout time.Duration
	// SilenceTimeout ends a session in which neither end has said anything. Default
	// 1m.
	SilenceTimeout time.Duration
	// IdleTimeout ends a session in which nothing moves. Default 1h.
	IdleTimeout time.Duration
	// Resumption lets clients resume their sessions with an origin. Default true.
	Resumption bool
}

var defaultClient = Client{MinTLS: tls.VersionTLS12, HandshakeTimeout: 10 * time.Second, SilenceTimeout: time.Minute, IdleTimeout: time.Hour, Resumption: true}

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

func defaultOrigin() Origin {
	return Origin{
		Roots:          []string{"system"},
		MinTLS:         tls.VersionTLS12,
		ConnectTimeout: 10 * time.Second,
		Resolve:        ResolveDestination,
		Revocation:     defaultRevocation,
		OnInvalid: OnInvalid{Default: decrypt.Untrusted, ByReason: map[string]decrypt.Response{
			"revoked": decrypt.Block, "weak-signature": decrypt.Block, "malformed": decrypt.Block, "own-authority": decrypt.Block, "tls-version": decrypt.Block,
		}},
		ClientCertificate: decrypt.TunnelRequest,
		Resumption:        true,
	}
}

func (r *reader) authority(n *node) (a Authority) {
	t := r.table(n, "authority")
	a.Certificate, a.Key = r.keyPair(t, "certificate", "key", true)
	a.UntrustedCertificate, a.UntrustedKey = r.keyPair(t, "untrusted_certificate", "untrusted_key", true)
	if a.Certificate != "" && a.Certificate == a.UntrustedCertificate {
		r.fail(t.place("untrusted_certificate"), "untrusted_certificate: the two authorities must differ")
	}
	a.PassphraseFile = value(t, "passphrase_file", "", parseFile(r.dir))
	a.Publish = value(t, "publish", "", parseListen)
	r.listens(t, "publish", "publish", a.Publish)
	t.close()
	return a
}

// leaf reads n; publish is where certificates are published.
func (r *reader) leaf(n *node, l Leaf, publish string) Leaf {
	t := r.table(n, "leaf")
	l.CRL = value(t, "crl", l.CRL, parseCRL(publish))
	if l.CRL != "" && publish == "" {
		r.fail(t.place("crl"), "crl: the list needs authority.publish, which serves it")
	}
	l.Lifetime = value(t, "lifetime", l.Lifetime, duration(time.Hour, 180*24*time.Hour))
	l.Cache = value(t, "cache", l.Cache, intNumber(1, 10_000_000))
	t.close()
	return l
}

// parseCRL accepts "false", "true" if publish is an address that clients can
// reach, or where they reach it.
func parseCRL(publish string) func(string) (string, error) {
	return func(s string) (string, error) {
		switch s {
		case "false":
			return "", nil
		case "true":
			host, port, err := net.SplitHostPort(publish)
			addr, _ := netip.ParseAddr(host)
			if err == nil && (port == "0" || host == "" || addr.IsUnspecified()) {
				return "", errors.New("clients cannot reach the address in publish, write the address that they reach: http://HOST:PORT")
			}
			return "http://" + publish, nil
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return "", fmt.Errorf("want true, false or an address such as http://ca.example.test:10080, not %q", s)
		}
		return strings.TrimSuffix(s, "/"), nil
	}
}

func (r *reader) client(n *node, c Client) Client {
	t := r.table(n, "client")
	c.MinTLS = value(t, "min_tls", c.MinTLS, parseTLSVersion)
	c.HandshakeTimeout = value(t, "handshake_timeout", c.HandshakeTimeout, duration(time.Second, 10*time.Minute))
	c.SilenceTimeout = value(t, "silence_timeout", c.SilenceTimeout, duration(time.Second, 30*24*time.Hour))
	c.IdleTimeout = value(t, "idle_timeout", c.IdleTimeout, duration(time.Second, 30*24*time.Hour))
	c.Resumption = value(t, "resumption", c.Resumption, parseBool)
	t.close()
	return c
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

func (r *reader) origin(n *node, o Origin) Origin {
	t := r.table(n, "origin")
	o.Roots = r.roots(t, o.Roots)
	o.MinTLS = value(t, "min_tls", o.MinTLS, parseTLSVersion)
	o.ConnectTimeout = value(t, "connect_timeout", o.ConnectTimeout, duration(100*time.Millisecond, 10*time.Minute))
	o.Resolve = value(t, "resolve", o.Resolve, oneOf(ResolveDestination, ResolveSNI))
	o.ClientCertificate = value(t, "client_certificate", o.ClientCertificate, oneOf(decrypt.TunnelRequest, decrypt.BlockRequest, decrypt.AnswerNone))

	o.ALPNOffer = values(t, "alpn_offer", nil, parseALPN)
	o.Resumption = value(t, "resumption", o.Resumption, parseBool)
	o.Revocation = r.revocation(t.get("revocation"), o.Revocation)
	r.onInvalid(t.get("on_invalid"), &o.OnInvalid)
	t.close()
	return o
}

// onInvalid changes o, whose map it owns, by the table n.
func (r *reader) onInvalid(n *node, o *OnInvalid) {
	t := r.table(n, "on_invalid")
	action := oneOf(decrypt.Block, decrypt.Untrusted, decrypt.PassOn)
	o.Default = value(t, "default", o.Default, action)
	for _, reason := range reasons {
		if !t.has(reason) {
			continue
		}
		parse := action
		if reason == "own-authority" {
			parse = alwaysBlocked
		}
		o.ByReason[reason] = value(t, reason, decrypt.Block, parse)
	}
	t.close()
}

// alwaysBlocked guards the reason that leaves no choice: an origin that holds a
// certificate of our own authority may be an attacker who has its key.
func alwaysBlocked(s string) (decrypt.Response, error) {
	if s != decrypt.Block.String() {
		return 0, fmt.Errorf("an origin that holds a certificate of our own is always blocked, not %q", s)
	}
	return decrypt.Block, nil
}
