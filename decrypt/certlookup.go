package decrypt

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"slices"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// certLookup is a handshake with the origin that was made because its certificate
// may change the decision. A session that is bumped goes on with it.
type certLookup struct {
	err   error    // of the handshake, or the judgement
	offer []string // application protocols that the rule allowed then
	keys  heldKeys
}

// lookUpCertificate asks the origin for its certificate and the policy again. Where the
// origin cannot be asked, what the policy has said first holds. When the session is
// not to be bumped, the origin leg is given up.
func (s *session) lookUpCertificate(ctx context.Context) (stage, error) {
	s.met = true
	l := &certLookup{offer: s.account.Decision.Treatment.Offer(s.hello.ALPN)}
	upgraded := s.upgraded()
	terminates := s.account.Decision.Action == policy.Terminate
	if err := s.dial(ctx); err != nil {
		if terminates {
			return s.choose(), nil
		}
		return stageEnd, err
	}
	s.lookup = l
	l.err = s.shake(func() error { return s.meetOrigin(ctx) })
	if errors.As(l.err, new(*Panic)) || errors.As(l.err, new(*failure)) && !terminates { // not even a connection
		return stageEnd, l.err
	}
	f := s.facts()
	f.Certificate = s.certificate(ctx)
	s.ask(f)
	if d := &s.account.Decision; d.Learned != "" && upgraded { // it would have come in time before the handshake
		d.Action, d.Learned = policy.Bump, ""
	}
	next := s.choose()
	switch {
	case next == stageBump && (upgraded || slices.Equal(l.offer, s.account.Decision.Treatment.Offer(s.hello.ALPN))):
		return next, l.keys.release(s.engine.cfg.KeyLog, s.account)
	case next == stageTerminate:
		return next, nil
	case upgraded:
		return stageEnd, fail(reasonTooLate, l.err, handshake.AlertHandshakeFailure)
	}
	s.giveUp()
	return next, nil
}

// certificate describes what the origin has shown to the policy, empty for nothing. The
// origin is judged if its handshake failed only because it asks for our certificate.
func (s *session) certificate(ctx context.Context) *policy.Certificate {
	requested := certificateMatter(s.lookup.err)
	chain := s.originState.PeerCertificates
	if s.originTLS == nil && !requested || len(chain) == 0 {
		return new(policy.Certificate)
	}
	if requested {
		s.judge(ctx, s.originState) // the verdict stays
	}
	trusted := s.account.OriginTLS.Verdict == "ok"
	if s.account.SNI != "" && trusted {
		s.remember(&s.engine.checks, s.checkKey(s.account.SNI))
	}
	return describe(chain[0], trusted)
}

// describe tells the policy of the origin's own certificate.
func describe(c *x509.Certificate, trusted bool) *policy.Certificate {
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
			return fail(reasonOriginTLS, err, handshake.AlertInternalError)
		}
	}
	h.lines = nil
	return nil
}
