package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
)

// Offer says which application protocols the origin was offered.
type Offer uint8

const (
	OfferClient     Offer = iota // those of the client
	OfferNarrowed                // fewer, as the rule wants it
	OfferRetried                 // fewer, which the origin refused; then those of the client
	OfferRemembered              // those of the client, since the origin is known to refuse fewer
)

var offerNames = [...]string{"", "narrowed", "retried", "remembered"}

// String returns the word used in audit entries, "" for OfferClient.
func (o Offer) String() string { return offerNames[o&3] }

const (
	stubbornLifetime = 24 * time.Hour
	stubbornEntries  = 10_000
)

// stubborn remembers origins that refused a narrowed offer and took the client's
// own. The zero value remembers none. Safe for concurrent use.
type stubborn struct {
	mu      sync.Mutex
	entries map[stubbornKey]time.Time // until when
}

// stubbornKey has both name and address, so that no client can have an origin
// remembered that it does not reach.
type stubbornKey struct {
	name   string
	origin netip.AddrPort
}

func (s *stubborn) known(k stubbornKey, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.entries[k])
}

func (s *stubborn) add(k stubbornKey, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries == nil || len(s.entries) >= stubbornEntries {
		s.entries = make(map[stubbornKey]time.Time) // a refusal more for each is cheap
	}
	s.entries[k] = now.Add(stubbornLifetime)
}

// offerOrigin completes the handshake with the origin, which is offered no more
// than the rule allows. One that refuses that, presumably for want of a common
// protocol, is dialed again and offered what the client offers.
func (j *joint) offerOrigin(ctx context.Context, hello *clienthello.Hello) error {
	offer := j.s.Decision.Treatment.Offer(hello.ALPN)
	if slices.Equal(offer, hello.ALPN) {
		return j.originHandshake(hello.ALPN)
	}
	key := stubbornKey{j.serverName(), j.s.Origin}
	if j.e.stubborn.known(key, time.Now()) {
		j.s.Offer = OfferRemembered
		return j.originHandshake(hello.ALPN)
	}
	j.s.Offer = OfferNarrowed
	err := j.originHandshake(offer)
	if err == nil || !refusesOffer(err) || j.upgraded() {
		return err
	}
	j.hangUp()
	if err := j.dial(ctx); err != nil {
		return err
	}
	j.s.Offer = OfferRetried
	j.s.OriginTLS.Verdict = ""
	if err := j.originHandshake(hello.ALPN); err != nil {
		return err
	}
	j.e.stubborn.add(key, time.Now())
	return nil
}

// refusesOffer tells whether an origin has answered a hello with one of the
// alerts for an offer in which nothing suits it (RFC 7301, Section 3.2, and what
// servers sent before that).
func refusesOffer(err error) bool {
	remote := (*net.OpError)(nil)
	if !errors.As(err, &remote) || remote.Op != "remote error" || remote.Err == nil {
		return false
	}
	said := remote.Err.Error() // crypto/tls has no type for it outside QUIC
	return said == tls.AlertError(alertNoApplicationProtocol).Error() || said == tls.AlertError(alertHandshakeFailure).Error()
}
