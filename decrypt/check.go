package decrypt

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/memo"
)

// checkLifetime is how long the engine remembers of a name, for one client, whether it
// belongs to a destination.
const checkLifetime = 5 * time.Minute

// Why a name does not belong to a destination.
var (
	errElsewhere = errors.New("the name has other addresses")
	errUnasked   = errors.New("the name cannot be looked up")
	errUpgraded  = errors.New("a session after STARTTLS cannot be probed")
)

// checkKey is a name and a destination to which it may belong, as a client has shown.
// What one client's session has shown holds for no other client: whoever controls client
// and destination can make it look as they like.
type checkKey struct {
	client netip.Addr // of IPv6 the network of 64 bits
	name   string
	origin netip.AddrPort
}

func (d *decision) checkKey(name string) checkKey {
	return checkKey{memo.Client(d.account.Client.Addr()), name, d.account.Origin}
}

// remember adds to what is known of a name, because of what the client asked for.
func (d *decision) remember(m *memory[checkKey], k checkKey) {
	m.add(k, d.account.Client.Addr(), time.Now(), checkLifetime)
}

// resolves finds whether the name resolves to the destination, or did within a day.
// known is false if nobody could tell, or not in time.
func (e *Engine) resolves(ctx context.Context, k checkKey, patience time.Duration) (belongs, known bool) {
	if !k.origin.IsValid() {
		return false, false
	}
	to := k.origin.Addr()
	if e.addresses.Has(k.name, to, time.Now()) {
		return true, true
	}
	if e.cfg.Resolver == nil {
		return false, false
	}
	ctx, stop := context.WithTimeout(ctx, min(patience, e.cfg.Origin.ConnectTimeout))
	defer stop()
	addrs, err := e.cfg.Resolver.LookupNetIP(ctx, "ip", k.name)
	if err != nil {
		var d *net.DNSError
		return false, errors.As(err, &d) && d.IsNotFound
	}
	now := time.Now()
	e.addresses.Add(k.name, addrs, k.client, now)
	return e.addresses.Has(k.name, to, now), true
}

// probe asks the origin for its certificate, on a connection of its own, with the name
// and the application protocols of the client's hello.
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
		Protocols:     s.hello.ALPN,
		MinVersion:    s.engine.cfg.Origin.MinTLS,
		Timeout:       s.engine.cfg.Client.HandshakeTimeout,
		NoCertificate: true,
	}
	result, err := o.Shake(s.origin)
	if err != nil && !errors.Is(err, handshake.ErrCertificateRequired) { // by then it has proven its key
		return err
	}
	return s.engine.cfg.Verifier.Verify(ctx, name, &result.State)
}
