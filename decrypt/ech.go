package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
)

// ECHAction is what becomes of a hello that is known to hide another (Encrypted
// Client Hello, RFC 9849).
type ECHAction uint8

const (
	// BumpECH treats it like any hello, by its public name. A client whose ECH is
	// not accepted by the holder of that name connects again without (RFC 9849,
	// Section 6.1.6), and is seen.
	BumpECH ECHAction = iota
	// TunnelECH passes it unopened.
	TunnelECH
	// BlockECH ends the session.
	BlockECH
)

// ECH says what is known of a client's use of Encrypted Client Hello. Most
// browsers send an extension without meaning where they have no key (GREASE), and
// nobody but the key's owner can tell that from a real one; who has a real one
// says so when it is not accepted.
type ECH uint8

const (
	ECHNone     ECH = iota
	ECHOffered      // the extension was there, real or not
	ECHKnown        // the same client had insisted on it before, for this name
	ECHInsisted     // it was real: the client ended the session for it
)

var echNames = [...]string{"", "offered", "known", "insisted"}

// String returns the word used in audit entries and metrics, "" for ECHNone.
func (e ECH) String() string { return echNames[e&3] }

const (
	echLifetime = 24 * time.Hour
	echEntries  = 10_000
)

// echKey has the client's address, so that nobody can have others' sessions
// treated as hidden.
type echKey struct {
	client netip.Addr
	name   string
	origin netip.AddrPort
}

// echCache remembers where clients insisted on ECH. The zero value remembers none.
// Safe for concurrent use.
type echCache struct {
	mu      sync.Mutex
	entries map[echKey]time.Time // until when
}

func (c *echCache) known(k echKey, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.entries[k])
}

func (c *echCache) add(k echKey, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= echEntries {
		c.entries = make(map[echKey]time.Time) // one more session each tells again
	}
	c.entries[k] = now.Add(echLifetime)
}

func (j *joint) echKey() echKey {
	return echKey{j.s.Client.Addr().Unmap(), j.s.SNI, j.s.Origin}
}

// bumpVisible bumps a session unless its hello is known to hide another, and that
// is to be treated otherwise.
func (j *joint) bumpVisible(ctx context.Context, hello *clienthello.Hello) error {
	if !hello.ECH {
		return j.bump(ctx, hello)
	}
	key := j.echKey() // before the origin's address is known better
	j.s.ClientTLS.ECH = ECHOffered
	if j.e.ech.known(key, time.Now()) {
		j.s.ClientTLS.ECH = ECHKnown
		switch j.e.cfg.ECH {
		case TunnelECH:
			return j.tunnel(ctx)
		case BlockECH:
			j.s.Outcome = Terminated
			return fail(reasonECH, nil, alertAccessDenied)
		}
	}
	err := j.bump(ctx, hello)
	if f := (*failure)(nil); errors.As(err, &f) && requiresECH(f.err) {
		f.reason = reasonECH
		j.s.ClientTLS.ECH = ECHInsisted
		j.e.ech.add(key, time.Now())
	}
	return err
}

// requiresECH tells whether a client has ended a session by the alert
// ech_required, which only one does that has a key.
func requiresECH(err error) bool {
	remote := (*net.OpError)(nil)
	return errors.As(err, &remote) && remote.Op == "remote error" && remote.Err != nil &&
		remote.Err.Error() == tls.AlertError(alertECHRequired).Error()
}
