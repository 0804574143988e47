package decrypt

import (
	"context"
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// secure takes a session whose client's next octets are a ClientHello. The
// origin leg may be open already: after STARTTLS, or if the client was slow.
func (s *session) secure(ctx context.Context) error {
	hello, err := s.readHello()
	if err != nil {
		return err
	}
	if s.account.Protocol == "" {
		s.account.Protocol = "tls"
	}
	s.meet(hello)
	s.stopLookup = s.lookUp(ctx)
	action := s.ask(s.facts())
	if action, err = s.reroute(ctx, hello, action); err != nil {
		return err
	}
	if s.account.Decision.Pending {
		if action, err = s.inquire(ctx, hello); err != nil {
			return err
		}
	}
	switch action {
	case policy.Terminate:
		s.account.Outcome = Terminated
		return fail(reasonPolicy, nil, alertAccessDenied)
	case policy.TunnelCheck:
		if err := s.check(ctx); err != nil {
			s.account.Outcome = Terminated
			return err
		}
		return s.tunnel(ctx)
	case policy.Tunnel:
		return s.tunnel(ctx)
	}
	return s.insists(s.bump(ctx, hello))
}

// readHello peeks at the client's whole ClientHello without consuming it, over any
// number of records and segments.
func (s *session) readHello() (*clienthello.Hello, error) {
	s.client.SetReadDeadline(time.Now().Add(s.engine.cfg.HandshakeTimeout))
	defer s.client.SetReadDeadline(time.Time{})
	for {
		_, err := clienthello.Complete(s.client.Unread())
		if err == nil {
			break
		}
		if !errors.Is(err, clienthello.ErrShort) {
			return nil, helloFailure(err)
		}
		if err := s.client.Fill(true); err != nil {
			return nil, helloFailure(err)
		}
	}
	hello, _, err := clienthello.Parse(s.client.Unread())
	if err != nil {
		return nil, helloFailure(err)
	}
	return hello, nil
}
