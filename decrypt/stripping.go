package decrypt

import (
	"net/netip"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/starttls"
)

// StartTLS says what became of the upgrade to TLS in a plain dialogue that is
// followed.
type StartTLS uint8

const (
	// NoStartTLS: no such dialogue, or one that said nothing about the upgrade.
	NoStartTLS StartTLS = iota
	// StartTLSOffered: the origin offered it, the client did not ask for it.
	StartTLSOffered
	// StartTLSUsed: the dialogue turned to TLS.
	StartTLSUsed
	// StartTLSRefused: the client asked for it, the origin refused.
	StartTLSRefused
	// StartTLSStripped: the origin's offer was unreadable, or an origin that offered it
	// within 24 hours omits or refuses it. An attacker between clearspan and the origin
	// may have removed it.
	StartTLSStripped
)

var startTLSNames = [...]string{"", "offered", "used", "refused", "stripped"}

// String returns the word used in audit entries and metrics, "" for NoStartTLS.
func (s StartTLS) String() string {
	if int(s) < len(startTLSNames) {
		return startTLSNames[s]
	}
	return ""
}

const (
	upgraderLifetime = 24 * time.Hour
	upgraderEntries  = 10_000
)

// upgraders remembers origins that offered to turn to TLS, or did. The zero value
// remembers none. Safe for concurrent use.
type upgraders struct {
	mu      sync.Mutex
	entries map[netip.AddrPort]time.Time // until when
}

// judge tells what an origin's offer amounts to, and remembers it.
func (u *upgraders) judge(origin netip.AddrPort, offer starttls.Offer, now time.Time) StartTLS {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch offer {
	case starttls.Offered, starttls.Accepted:
		if u.entries == nil || len(u.entries) >= upgraderEntries {
			u.entries = make(map[netip.AddrPort]time.Time) // what is forgotten is learned again
		}
		u.entries[origin] = now.Add(upgraderLifetime)
		if offer == starttls.Accepted {
			return StartTLSUsed
		}
		return StartTLSOffered
	case starttls.Garbled:
		return StartTLSStripped
	case starttls.Omitted, starttls.Refused:
		if now.Before(u.entries[origin]) {
			return StartTLSStripped
		}
		if offer == starttls.Refused {
			return StartTLSRefused
		}
	}
	return NoStartTLS
}
