package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// checkLifetime is how long the engine remembers of a name whether it belongs to a
// destination.
const checkLifetime = 5 * time.Minute

var errUpgraded = errors.New("a session after STARTTLS cannot be probed")

// checkKey is a name and a destination to which it may belong.
type checkKey struct {
	name   string
	origin netip.AddrPort
}

// remember adds to what is known of a name, because of what the client asked for.
func (j *joint) remember(m *memory[checkKey], k checkKey) {
	m.add(k, j.s.Client.Addr(), time.Now(), checkLifetime)
}

// check finds whether the client's server name belongs to where the session
// goes: the name resolves to the destination, or the origin there has a valid
// certificate for it.
func (j *joint) check(ctx context.Context) error {
	name := j.s.SNI
	if name == "" {
		return fail(reasonNameCheck, nil, alertAccessDenied)
	}
	key := checkKey{name, j.s.Origin}
	if j.e.checks.known(key, time.Now()) {
		return nil
	}
	if belongs, _ := j.e.resolves(ctx, key); belongs {
		j.remember(&j.e.checks, key)
		return nil
	}
	if err := j.probe(ctx, name); err != nil {
		return fail(reasonNameCheck, err, alertAccessDenied)
	}
	j.remember(&j.e.checks, key)
	return nil
}

// resolves finds whether the name resolves to the destination. known is false if
// nobody could tell.
func (e *Engine) resolves(ctx context.Context, k checkKey) (belongs, known bool) {
	if e.cfg.Resolver == nil || !k.origin.IsValid() {
		return false, false
	}
	ctx, stop := context.WithTimeout(ctx, e.cfg.ConnectTimeout)
	defer stop()
	addrs, err := e.cfg.Resolver.LookupNetIP(ctx, "ip", k.name)
	if err != nil {
		var d *net.DNSError
		return false, errors.As(err, &d) && d.IsNotFound
	}
	to := k.origin.Addr().Unmap()
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return a.Unmap() == to }), true
}

// probe asks the origin for its certificate, on a connection of its own.
func (j *joint) probe(ctx context.Context, name string) error {
	if j.upgraded() {
		return errUpgraded
	}
	if err := j.dial(ctx); err != nil {
		return err
	}
	defer j.hangUp()
	j.origin.SetDeadline(time.Now().Add(j.e.cfg.HandshakeTimeout))
	conn := tls.Client(j.origin, &tls.Config{
		ServerName:         name,
		InsecureSkipVerify: true, // judged below
		MinVersion:         j.e.cfg.OriginMinVersion,
		CipherSuites:       greenSuites,
	})
	if err := conn.Handshake(); err != nil {
		return err
	}
	state := conn.ConnectionState()
	return j.e.cfg.Verifier.Verify(ctx, name, &state)
}
