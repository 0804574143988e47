package decrypt

import (
	"context"
	"errors"
	"io"

	"github.com/clearspan/clearspan/decrypt/internal/relay"
)

// Service stands between the two legs of a decrypted or plain session: it moves
// the cleartext, and may change or withhold it. It carries a plain session of SMTP
// from the first command of mail on, behind greeting and EHLO, and one of HTTP or an
// unknown protocol from the client's first octet on, or from where the client's words do
// not fit the protocol that was told. It carries no other plain dialogue that could turn
// to TLS. If it has a method Refuse(*Session) error, that is
// asked when the protocol of such a dialogue is known, and ends it by an error.
type Service interface {
	// Carry serves s and returns when both directions have ended. If it returns
	// nil earlier, what it wrote is delivered and the legs are closed in order; an
	// error resets them, and becomes the session's reason if it has a method
	// Reason() string. Several sessions call it concurrently. What it starts
	// goroutines for runs by [Contain].
	Carry(ctx context.Context, s *Session, client, origin End) error
}

// refuser is a [Service] that may have a session end whose protocol it does not carry:
// of a plain dialogue, which goes on beside services. The error is as that of Carry.
type refuser interface {
	Refuse(s *Session) error
}

// End is one side of a session's cleartext as a [Service] sees it: a leg, or the
// next service. One goroutine at a time may read from it, and one write to it.
// Its ends before and behind a chain have a method Await() error besides, which
// returns when octets, or the end, have come: who waits there needs no buffer
// meanwhile.
type End interface {
	io.Reader // io.EOF after an orderly end; any other error: the leg broke, or is idle
	io.Writer // what one call was given is sent at once
	// CloseWrite carries an orderly end on.
	CloseWrite() error
	// Abort resets this end. It may be called at any time, by any goroutine, more
	// than once.
	Abort()
}

// serve lets services carry the session between the two legs.
func (s *session) serve(ctx context.Context) error {
	s.open()
	clientText, originText := relay.Cleartext(s.client), relay.Cleartext(s.origin)
	if s.content == Decrypted {
		clientText, originText = s.clientTLS, s.originTLS
	}
	client, origin := s.legs.Ends(s.client, s.origin, clientText, originText)
	services := make([]func(client, origin relay.End) error, len(s.services))
	for i, service := range s.services {
		services[i] = func(client, origin relay.End) error {
			return Contain(func() error { return service.Carry(ctx, s.account, client, origin) })
		}
	}
	if err := relay.Chain(services, client, origin); err != nil {
		s.legs.Fail(s.client, s.origin)
		return s.serviceFailure(err)
	}
	client.Linger()
	return nil
}

// askServices asks what stands between the legs.
func (s *session) askServices() []Service {
	if s.engine.cfg.Services == nil {
		return nil
	}
	return s.engine.cfg.Services(s.account)
}

// serviceFailure gives the reason for an error that a service returned.
func (s *session) serviceFailure(err error) error {
	var f *failure
	var r interface{ Reason() string }
	switch {
	case errors.As(err, &r):
		return fail(r.Reason(), err, 0)
	case errors.As(s.relayFailure(err), &f):
		return f
	}
	return fail(reasonService, err, 0)
}
