package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	checkLifetime = 5 * time.Minute
	checkEntries  = 10_000
)

var errUpgraded = errors.New("a session after STARTTLS cannot be probed")

// checkCache remembers for a while which names belong to which destinations.
type checkCache struct {
	mu      sync.Mutex
	entries map[checkKey]time.Time // until when the name is known to belong
}

type checkKey struct {
	name   string
	origin netip.AddrPort
}

func (c *checkCache) known(k checkKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.entries[k])
}

func (c *checkCache) add(k checkKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= checkEntries {
		c.entries = make(map[checkKey]time.Time) // a probe more for each is cheap
	}
	c.entries[k] = time.Now().Add(checkLifetime)
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
	if j.e.checks.known(key) || j.resolves(ctx, name) {
		j.e.checks.add(key)
		return nil
	}
	if err := j.probe(ctx, name); err != nil {
		return fail(reasonNameCheck, err, alertAccessDenied)
	}
	j.e.checks.add(key)
	return nil
}

func (j *joint) resolves(ctx context.Context, name string) bool {
	if j.e.cfg.Resolver == nil || !j.s.Origin.IsValid() {
		return false
	}
	ctx, stop := context.WithTimeout(ctx, j.e.cfg.ConnectTimeout)
	defer stop()
	addrs, err := j.e.cfg.Resolver.LookupNetIP(ctx, "ip", name)
	return err == nil && slices.ContainsFunc(addrs, func(a netip.Addr) bool {
		return a.Unmap() == j.s.Origin.Addr().Unmap()
	})
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
