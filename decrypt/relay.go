package decrypt

import (
	"context"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// carry relays octets between the legs until both directions have ended: by way of
// services, decrypted, or as they are. A session that is not tunneled may turn to TLS.
func (s *session) carry(ctx context.Context) (stage, error) {
	s.begun()
	s.hello = nil // nobody asks any more
	var err error
	switch s.between(); {
	case len(s.services) > 0:
		err = s.serve(ctx)
	case s.content == Decrypted:
		err = s.relayTLS()
	default:
		err = s.relayRaw()
	}
	if err == nil && s.legs.Turned() {
		return s.turn()
	}
	s.heed()
	if s.content == Decrypted {
		err = s.insists(s.received(s.renegotiated(ctx, s.insisted(ctx, err))))
	}
	return stageEnd, err
}

// between finds out what stands between the legs, and what is looked for there.
func (s *session) between() {
	if s.content != Tunneled || s.opening == opensPlain && s.account.Protocol != "" {
		s.inspect(nil)
	}
	if s.content == Tunneled {
		return
	}
	if s.services == nil {
		s.services = s.askServices()
	}
}

// relayTLS joins the two TLS connections.
func (s *session) relayTLS() error {
	s.open()
	s.client.Relaying(s.engine.cfg.Client.IdleTimeout)
	s.origin.Relaying(s.engine.cfg.Client.IdleTimeout)
	return s.both(
		func() error { return s.legs.TLS(ClientToOrigin, s.clientTLS, s.originTLS, s.client, s.origin) },
		func() error { return s.legs.TLS(OriginToClient, s.originTLS, s.clientTLS, s.origin, s.client) },
	)
}

// unseen reports whether no tap needs the session's octets.
func (s *session) unseen() bool {
	_, blind := s.stream.(Blind)
	return blind || s.stream == nil
}

// relayRaw relays both directions as they are. A tunnel that nobody taps is carried by
// splice(2); in a plain session TLS may begin at any time.
func (s *session) relayRaw() error {
	s.open()
	for _, l := range []*leg.Leg{s.client, s.origin} {
		l.Large()
		l.Stall(s.engine.cfg.Client.IdleTimeout)
	}
	pump := func(dir Direction, from, to *leg.Leg) func() error {
		if s.content == Tunneled && s.unseen() && s.inspection == nil && from.Socket() && to.Socket() {
			return func() error { return s.legs.Splice(dir, from, to) }
		}
		return func() error { return s.legs.Raw(dir, from, to) }
	}
	return s.both(pump(ClientToOrigin, s.client, s.origin), pump(OriginToClient, s.origin, s.client))
}
