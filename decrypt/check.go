package decrypt

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
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
func (d *decision) remember(m *memory[checkKey], k checkKey) {
	m.add(k, d.account.Client.Addr(), time.Now(), checkLifetime)
}

// check lets only a session be tunneled whose server name belongs to where it goes.
func (s *session) check(ctx context.Context) (stage, error) {
	if belongs, err := s.belongs(ctx, s.account.SNI); !belongs {
		s.denial = fail(reasonNameCheck, err, handshake.AlertAccessDenied)
		return stageTerminate, nil
	}
	return stageTunnel, nil
}

// belongs finds whether a server name belongs to where the session goes: it resolves to
// the destination, or the origin there has a valid certificate for it.
func (s *session) belongs(ctx context.Context, name string) (bool, error) {
	if name == "" {
		return false, nil
	}
	key := checkKey{name, s.account.Origin}
	if s.engine.checks.known(key, time.Now()) {
		return true, nil
	}
	if belongs, _ := s.engine.resolves(ctx, key); !belongs {
		if err := s.probe(ctx, name); err != nil {
			return false, err
		}
	}
	s.remember(&s.engine.checks, key)
	return true, nil
}

// resolves finds whether the name resolves to the destination. known is false if
// nobody could tell.
func (e *Engine) resolves(ctx context.Context, k checkKey) (belongs, known bool) {
	if e.cfg.Resolver == nil || !k.origin.IsValid() {
		return false, false
	}
	ctx, stop := context.WithTimeout(ctx, e.cfg.Origin.ConnectTimeout)
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
func (s *session) probe(ctx context.Context, name string) error {
	if s.upgraded() {
		return errUpgraded
	}
	if err := s.dial(ctx); err != nil {
		return err
	}
	defer s.hangUp()
	o := handshake.Origin{
		Name:          name,
		MinVersion:    s.engine.cfg.Origin.MinTLS,
		Timeout:       s.engine.cfg.Client.HandshakeTimeout,
		NoCertificate: true,
	}
	result, err := o.Shake(s.origin)
	if err != nil {
		return err
	}
	return s.engine.cfg.Verifier.Verify(ctx, name, &result.State)
}
