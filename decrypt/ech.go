package decrypt

import (
	"errors"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
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
func (e ECH) String() string {
	if int(e) < len(echNames) {
		return echNames[e]
	}
	return "unknown"
}

// echLifetime is how long the engine remembers where a client insisted on ECH.
const echLifetime = 24 * time.Hour

// echKey has the client's address, so that nobody can have others' sessions
// treated as hidden.
type echKey struct {
	client netip.Addr
	name   string
	origin netip.AddrPort
}

// hides notes that the hello hides another, or pretends to. What is known of it is
// looked up once, before the origin's address is known better.
func (d *decision) hides() {
	if d.account.ClientTLS.ECH == ECHNone {
		d.account.ClientTLS.ECH = ECHOffered
		d.hidden = echKey{d.account.Client.Addr().Unmap(), d.account.SNI, d.account.Origin}
		if d.engine.ech.known(d.hidden, time.Now()) {
			d.account.ClientTLS.ECH = ECHKnown
		}
	}
	d.account.note(policy.ECH)
	if d.account.ClientTLS.ECH == ECHKnown {
		d.account.note(policy.ECHRequired)
	}
}

// insists finds out whether a bumped session ended with err because its client
// insists on hiding, remembers it, and returns err with that reason. A client whose
// hidden hello is not accepted by the holder of the public name mostly connects
// again without (RFC 9849, Section 6.1.6), and is seen.
func (s *session) insists(err error) error {
	if f := (*failure)(nil); errors.As(err, &f) && s.account.ClientTLS.ECH != ECHNone && requiresECH(f.err) {
		f.reason = reasonECH
		s.account.ClientTLS.ECH = ECHInsisted
		s.engine.ech.add(s.hidden, s.hidden.client, time.Now(), echLifetime)
	}
	return err
}

// requiresECH tells whether a client has ended a session by the alert
// ech_required, which only one does that has a key.
func requiresECH(err error) bool { return handshake.Answers(err, handshake.AlertECHRequired) }
