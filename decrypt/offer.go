package decrypt

import (
	"context"
	"slices"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// Offer says which application protocols the origin was offered.
type Offer uint8

const (
	// OfferClient: the client's list.
	OfferClient Offer = iota
	// OfferNarrowed: fewer protocols than the client's, by `alpn_offer`.
	OfferNarrowed
	// OfferRetried: the origin refused fewer protocols. clearspan then offered the
	// client's list.
	OfferRetried
	// OfferRemembered: the client's list, because the origin refused fewer protocols
	// before.
	OfferRemembered
)

var offerNames = [...]string{"", "narrowed", "retried", "remembered"}

// String returns the word used in audit entries, "" for OfferClient.
func (o Offer) String() string {
	if int(o) < len(offerNames) {
		return offerNames[o]
	}
	return "unknown"
}

// offerOrigin completes the handshake with the origin, which is offered no more
// than the rule allows. One that refuses that, presumably for want of a common
// protocol, is dialed again and offered what the client offers.
func (s *session) offerOrigin(ctx context.Context) error {
	offer := s.account.Decision.Treatment.Offer(s.hello.ALPN)
	if slices.Equal(offer, s.hello.ALPN) {
		return s.originHandshake(s.hello.ALPN)
	}
	if s.engine.cfg.Learner.Knows(learn.NarrowOffer, s.asked) {
		s.account.Offer = OfferRemembered
		return s.originHandshake(s.hello.ALPN)
	}
	s.account.Offer = OfferNarrowed
	err := s.originHandshake(offer)
	if err == nil || !refusesOffer(err) || s.upgraded() {
		return err
	}
	s.hangUp()
	if err := s.dial(ctx); err != nil {
		return err
	}
	s.account.Offer = OfferRetried
	s.account.OriginTLS.Verdict, s.account.OriginTLS.Finding = "", ""
	if err := s.originHandshake(s.hello.ALPN); err != nil {
		return err
	}
	s.report(learn.NarrowOffer, whyRefused)
	return nil
}

// refusesOffer tells whether an origin has answered a hello with one of the
// alerts for an offer in which nothing suits it (RFC 7301, Section 3.2, and what
// servers sent before that).
func refusesOffer(err error) bool {
	return !certificateMatter(err) && handshake.Answers(err, handshake.AlertNoApplicationProtocol, handshake.AlertHandshakeFailure)
}
