package decrypt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"slices"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// inquiry is a handshake with the origin that was made because its certificate
// may change the decision. A session that is bumped goes on with it.
type inquiry struct {
	err   error    // of the handshake, or the judgement
	offer []string // application protocols that the rule allowed then
	keys  heldKeys
}

// inquire asks the origin for its certificate and the policy again. Where the
// origin cannot be asked, what the policy has said first holds. When the session is
// not to be bumped, the origin leg is given up.
func (s *session) inquire(ctx context.Context, hello *clienthello.Hello) (policy.Action, error) {
	q := &inquiry{offer: s.account.Decision.Treatment.Offer(hello.ALPN)}
	upgraded := s.upgraded()
	before := s.account.Decision.Action
	if err := s.dial(ctx); err != nil {
		if before == policy.Terminate {
			return before, nil
		}
		return before, err
	}
	s.inquiry = q
	q.err = s.engine.crew.run(func() error { return s.meetOrigin(ctx, hello) })
	if errors.As(q.err, new(*Panic)) || errors.As(q.err, new(*failure)) && before != policy.Terminate { // not even a connection
		return before, q.err
	}
	cert := new(policy.Certificate)
	asked := errors.Is(q.err, errCertificateRequested)
	if chain := s.originState.PeerCertificates; (s.originTLS != nil || asked) && len(chain) > 0 {
		if asked {
			s.judge(ctx) // the verdict stays
		}
		reason := s.account.OriginTLS.Verdict
		cert = certificate(chain[0], reason == "ok")
		if s.account.SNI != "" && reason == "ok" {
			s.remember(&s.engine.checks, checkKey{s.account.SNI, s.account.Origin})
		}
	}
	f := s.facts()
	f.Certificate = cert
	action := s.ask(f)
	if s.account.Decision.Learned != "" && upgraded { // it would have come in time before the handshake
		action, s.account.Decision.Action, s.account.Decision.Learned = policy.Bump, policy.Bump, ""
	}
	switch {
	case action == policy.Bump && (upgraded || slices.Equal(q.offer, s.account.Decision.Treatment.Offer(hello.ALPN))):
		return action, q.keys.release(s.engine.cfg.KeyLog, s.account)
	case action == policy.Terminate:
		return action, nil
	case upgraded:
		return action, fail(reasonTooLate, q.err, alertHandshakeFailure)
	}
	s.giveUp()
	return action, nil
}

// certificate describes the origin's own certificate to the policy.
func certificate(c *x509.Certificate, trusted bool) *policy.Certificate {
	out := &policy.Certificate{Trusted: trusted, Names: slices.Clone(c.DNSNames)}
	for _, ip := range c.IPAddresses {
		out.Names = append(out.Names, ip.String())
	}
	if len(out.Names) == 0 && c.Subject.CommonName != "" {
		out.Names = []string{c.Subject.CommonName}
	}
	for _, name := range slices.Concat([]string{c.Issuer.CommonName}, c.Issuer.Organization, []string{c.Issuer.String()}) {
		if name != "" {
			out.Issuers = append(out.Issuers, name)
		}
	}
	return out
}

// giveUp closes the origin leg, on which a handshake was begun, so that another
// can be opened.
func (s *session) giveUp() {
	s.hangUp()
	s.originTLS, s.originState, s.inquiry = nil, tls.ConnectionState{}, nil
	s.account.ALPN, s.account.Offer = "", OfferClient
}

// heldKeys keeps the secrets of a handshake until it is decided who may have them.
type heldKeys struct{ lines []byte }

func (h *heldKeys) Write(line []byte) (int, error) {
	h.lines = append(h.lines, line...)
	return len(line), nil
}

// release gives the secrets to where those of s go.
func (h *heldKeys) release(to func(*Session) io.Writer, s *Session) error {
	if to == nil || len(h.lines) == 0 {
		return nil
	}
	w := to(s)
	if w == nil {
		return nil
	}
	for line := range bytes.Lines(h.lines) {
		if _, err := w.Write(line); err != nil {
			return fail(reasonOriginTLS, err, alertInternalError)
		}
	}
	h.lines = nil
	return nil
}
