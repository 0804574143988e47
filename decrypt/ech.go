package decrypt

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// ECH says what is known of a client's use of Encrypted Client Hello. Most
// browsers send an extension without meaning where they have no key (GREASE), and
// nobody but the key's owner can tell that from a real one; who has a real one
// says so when it is not accepted.
type ECH uint8

const (
	// ECHNone: the hello has no such extension.
	ECHNone ECH = iota
	// ECHOffered: the hello has the extension, real or not.
	ECHOffered
	// ECHKnown: the same client ended a session to this name for ECH within 24 hours.
	ECHKnown
	// ECHInsisted: the extension was real. The client ended the session for it.
	ECHInsisted
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

// hides notes that the hello hides another, or pretends to. What is known of it is
// looked up once, before the origin's address is known better.
func (j *joint) hides() {
	if j.s.ClientTLS.ECH == ECHNone {
		j.s.ClientTLS.ECH = ECHOffered
		j.hidden = echKey{j.s.Client.Addr().Unmap(), j.s.SNI, j.s.Origin}
		if j.e.ech.known(j.hidden, time.Now()) {
			j.s.ClientTLS.ECH = ECHKnown
		}
	}
	j.s.note(policy.ECH)
	if j.s.ClientTLS.ECH == ECHKnown {
		j.s.note(policy.ECHRequired)
	}
}

// insists finds out whether a bumped session ended with err because its client
// insists on hiding, remembers it, and returns err with that reason. A client whose
// hidden hello is not accepted by the holder of the public name mostly connects
// again without (RFC 9849, Section 6.1.6), and is seen.
func (j *joint) insists(err error) error {
	if f := (*failure)(nil); errors.As(err, &f) && j.s.ClientTLS.ECH != ECHNone && requiresECH(f.err) {
		f.reason = reasonECH
		j.s.ClientTLS.ECH = ECHInsisted
		j.e.ech.add(j.hidden, time.Now())
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
