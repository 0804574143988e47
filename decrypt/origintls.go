package decrypt

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// greenSuites are the TLS 1.2 cipher suites offered and accepted: forward
// secrecy with authenticated encryption. Those of TLS 1.3 all qualify.
var greenSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

var errCertificateRequested = errors.New("origin asks for a client certificate")

// meetOrigin completes the handshake with the origin and has it judged. On error
// Verdict is set if the reason is one of trust. A resumed session is judged like
// any other, by the certificates that its first handshake has shown; if it fails,
// in whatever way, the origin gets the chance of a full handshake, so that nothing
// fails for a ticket's sake.
func (s *session) meetOrigin(ctx context.Context) error {
	for {
		err := s.offerOrigin(ctx)
		if err == nil {
			err = s.judge(ctx)
		}
		switch {
		case err == nil:
			s.cached.keep(time.Now(), &s.account.OriginTLS, &s.originState)
			return nil
		case !s.cached.used(), leg.IsTimeout(err), errors.Is(err, errCertificateRequested), errors.As(err, new(*failure)),
			s.originTLS != nil && !s.account.OriginTLS.Resumed:
			return err
		}
		s.cached.origins.forget(s.cached.key)
		s.fullOrigin = true
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
	start := time.Now()
	keys := s.keyLog()
	cfg := &tls.Config{
		ServerName:                  s.serverName(),
		NextProtos:                  offer,
		InsecureSkipVerify:          true, // judged below, by the Verifier
		MinVersion:                  s.engine.cfg.OriginMinVersion,
		CipherSuites:                greenSuites,
		DynamicRecordSizingDisabled: true,
		KeyLogWriter:                keys,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			switch how := s.engine.cfg.CertificateRequest; {
			case how == AnswerNone, how == TunnelRequest && s.upgraded():
				return new(tls.Certificate), nil
			}
			return nil, errCertificateRequested
		},
	}
	switch s.cached = nil; {
	case s.data != nil && s.data.latest != nil:
		cfg.ClientSessionCache = s.data.latest
	case s.control.Load() != nil:
		s.latest = new(latestSession)
		cfg.ClientSessionCache = s.latest
	default:
		cfg.ClientSessionCache = s.cacheOrigin(keys != nil)
	}
	conn := tls.Client(s.origin, cfg)
	s.origin.SetDeadline(start.Add(s.engine.cfg.HandshakeTimeout))
	err := conn.Handshake()
	s.account.OriginTLS.Handshake = time.Since(start)
	s.originState = conn.ConnectionState()
	if err != nil {
		if s.account.OriginTLS.Verdict = s.engine.cfg.HandshakeReason(err); s.account.OriginTLS.Verdict != "" {
			s.account.OriginTLS.Finding = finding(err)
		}
		return err
	}
	s.origin.SetDeadline(time.Time{})
	state := &s.originState
	s.originTLS = conn
	s.account.ALPN = state.NegotiatedProtocol
	s.account.OriginTLS.Version, s.account.OriginTLS.Cipher, s.account.OriginTLS.Resumed = state.Version, state.CipherSuite, state.DidResume
	s.account.OriginTLS.ChainSHA256 = chainHash(state.PeerCertificates)
	return nil
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

// judge asks the verifier, notes its verdict, "ok" or a reason, and what it learned
// of revocation, and returns its error.
func (s *session) judge(ctx context.Context) error {
	state := s.originState
	var err error
	if a, ok := s.engine.cfg.Verifier.(Assessor); ok {
		s.account.OriginTLS.Revocation, err = a.Assess(ctx, s.identity(), &state)
	} else {
		err = s.engine.cfg.Verifier.Verify(ctx, s.identity(), &state)
	}
	verdict := "ok"
	if err != nil {
		verdict = "unknown"
		var r interface{ Reason() string }
		if errors.As(err, &r) {
			verdict = r.Reason()
		}
		s.account.OriginTLS.Finding = finding(err)
	}
	s.account.OriginTLS.Verdict = verdict
	return err
}

// finding returns the beginning of what err says.
func finding(err error) string {
	const most = 256
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

func chainHash(chain []*x509.Certificate) string {
	h := sha256.New()
	for _, c := range chain {
		h.Write(c.Raw)
	}
	return hex.EncodeToString(h.Sum(nil))
}
