package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// shake runs handshakes, by [Contain], where the stack for them is.
func (s *session) shake(f func() error) error {
	return s.engine.handshakes.Run(func() error { return Contain(f) })
}

// meetOrigin completes the handshake with the origin and has it judged. On error
// Verdict is set if the reason is one of trust. A resumed session is judged like
// any other, by the certificates that its first handshake has shown; if it fails,
// in whatever way, the origin gets the chance of a full handshake, so that nothing
// fails for a ticket's sake.
func (s *session) meetOrigin(ctx context.Context) error {
	for {
		err := s.offerOrigin(ctx)
		if err == nil {
			err = s.judge(ctx, s.originState)
		}
		switch {
		case err == nil:
			s.cached.Keep(time.Now(), s.account.OriginTLS.ChainSHA256, &s.originState)
			return nil
		case errors.Is(err, errHasty):
		case s.engine.cfg.Origin.ClientCertificate == AnswerNone && errors.Is(err, handshake.ErrCertificateRequested) && !s.isCertifiedHost(ctx):
			s.bare = true
		case !s.cached.Used(), leg.IsTimeout(err), certificateMatter(err), errors.As(err, new(*failure)),
			s.originTLS != nil && !s.account.OriginTLS.Resumed:
			return err
		default:
			s.cached.Forget()
			s.fullOrigin = true
		}
		s.hangUp()
		s.originTLS, s.originState = nil, tls.ConnectionState{}
		s.account.OriginTLS = LegTLS{}
		if err := s.dial(ctx); err != nil {
			return err
		}
	}
}

// originHandshake completes the handshake with the origin, whatever its
// certificate says, and offers it the given application protocols. On failure
// Verdict and Finding are set if the reason is one of trust.
func (s *session) originHandshake(offer []string) error {
	keys := s.keyLog()
	o := handshake.Origin{
		Name:          s.serverName(),
		Protocols:     offer,
		MinVersion:    s.engine.cfg.Origin.MinTLS,
		Keys:          keys,
		Timeout:       s.engine.cfg.Client.HandshakeTimeout,
		Sessions:      s.originSessions(keys != nil),
		NoCertificate: s.answersNone(),
		RefuseLate:    s.engine.cfg.Origin.ClientCertificate == BlockRequest,
	}
	result, err := o.Shake(s.origin)
	if err == nil {
		err = s.awaitInsistence(&result)
	}
	s.originTLS, s.originState, s.requested = result.Conn, result.State, result.Requested
	s.renegotiation = result.Renegotiation
	a := &s.account.OriginTLS
	a.Handshake = result.Took
	if err != nil {
		s.originTLS = nil
		if a.Verdict = s.engine.cfg.HandshakeReason(err); a.Verdict != "" {
			a.Finding = finding(err)
		}
		return err
	}
	s.account.ALPN = result.State.NegotiatedProtocol
	a.Version, a.Cipher, a.Resumed = result.State.Version, result.State.CipherSuite, result.State.DidResume
	a.ChainSHA256 = chainHash(result.State.PeerCertificates)
	return nil
}

// originSessions returns what the origin leg that is about to begin may resume, nil for
// nothing. A data connection resumes the session of its control connection. After
// STARTTLS there is nothing: such a dialogue cannot be started over if a ticket leads
// nowhere.
func (s *session) originSessions(logged bool) tls.ClientSessionCache {
	s.cached = nil
	switch {
	case s.data != nil && s.data.latest != nil:
		return s.data.latest
	case s.control.Load() != nil:
		s.latest = new(handshake.LatestSession)
		return s.latest
	case s.engine.cfg.Origin.FullHandshakes || s.upgraded() || !s.account.Client.IsValid():
		return nil
	}
	k := handshake.CacheKey{Client: s.account.Client.Addr().Unmap(), Origin: s.account.Origin, Name: s.serverName(), Identity: s.identity()}
	s.cached = s.engine.origins.Leg(k, s.fullOrigin, logged)
	return s.cached
}

// keyLog is where the secrets of a handshake go, nil for nowhere.
func (s *session) keyLog() io.Writer {
	if s.engine.cfg.KeyLog == nil {
		return nil
	}
	if s.lookup != nil && s.clientTLS == nil && s.originTLS == nil {
		return &s.lookup.keys // it is not decided yet
	}
	return s.engine.cfg.KeyLog(s.account)
}
