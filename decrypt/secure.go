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
func (j *joint) secure(ctx context.Context) error {
	hello, err := j.hello()
	if err != nil {
		return err
	}
	if j.s.Protocol == "" {
		j.s.Protocol = "tls"
	}
	j.s.SNI = hello.ServerName
	j.s.ClientTLS.JA4 = hello.JA4()
	j.stopLookup = j.lookUp(ctx)
	action := j.decide(j.helloFacts(hello))
	if action, err = j.reroute(ctx, hello, action); err != nil {
		return err
	}
	if j.s.Decision.Pending {
		if action, err = j.inquire(ctx, hello); err != nil {
			return err
		}
	}
	switch action {
	case policy.Terminate:
		j.s.Outcome = Terminated
		return fail(reasonPolicy, nil, alertAccessDenied)
	case policy.TunnelCheck:
		if err := j.check(ctx); err != nil {
			j.s.Outcome = Terminated
			return err
		}
		return j.tunnel(ctx)
	case policy.Tunnel:
		return j.tunnel(ctx)
	}
	return j.insists(j.bump(ctx, hello))
}

// helloFacts are the facts with what the hello tells.
func (j *joint) helloFacts(hello *clienthello.Hello) *policy.Facts {
	j.helloEvents(hello)
	f := j.facts()
	f.TLS, f.ALPN, f.JA4 = true, hello.ALPN, j.s.ClientTLS.JA4
	return f
}

// hello peeks at the client's whole ClientHello without consuming it, over any
// number of records and segments.
func (j *joint) hello() (*clienthello.Hello, error) {
	j.client.SetReadDeadline(time.Now().Add(j.e.cfg.HandshakeTimeout))
	defer j.client.SetReadDeadline(time.Time{})
	for {
		_, err := clienthello.Complete(j.client.unread())
		if err == nil {
			break
		}
		if !errors.Is(err, clienthello.ErrShort) {
			return nil, helloFailure(err)
		}
		if err := j.client.fill(true); err != nil {
			return nil, helloFailure(err)
		}
	}
	hello, _, err := clienthello.Parse(j.client.unread())
	if err != nil {
		return nil, helloFailure(err)
	}
	return hello, nil
}
