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

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
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

// bump terminates TLS on both legs and relays.
func (s *session) bump(ctx context.Context, hello *clienthello.Hello) error {
	var instead func() error
	if err := s.engine.crew.run(func() (err error) {
		instead, err = s.establish(ctx, hello)
		return err
	}); err != nil {
		return err
	}
	if instead != nil {
		return instead()
	}
	s.begun()
	s.account.Outcome = Bumped
	if s.account.SNI != "" && (s.account.ALPN == "" || s.account.ALPN == "http/1.1" || s.account.ALPN == "h2") {
		s.inside = new(inside)
	}
	if services := s.services(); len(services) > 0 {
		return s.received(s.overruled(s.serve(ctx, services, Decrypted, s.clientTLS, s.originTLS)))
	}
	s.open()
	return s.received(s.overruled(s.relay()))
}

// establish makes the handshakes: first the origin's, then, with what it taught, the
// client's. A session that is not to be bumped after all goes on with instead.
func (s *session) establish(ctx context.Context, hello *clienthello.Hello) (instead func() error, err error) {
	var met error // what came of the origin's
	if s.inquiry != nil {
		met = s.inquiry.err
	} else {
		if err := s.dial(ctx); err != nil {
			return nil, err
		}
		met = s.meetOrigin(ctx, hello)
	}
	startOver := func() error { return s.startOver(ctx) }
	trusted := true
	switch reason := s.account.OriginTLS.Verdict; {
	case errors.Is(met, errCertificateRequested):
		if s.engine.cfg.CertificateRequest == BlockRequest || s.upgraded() {
			return nil, refusal(reasonClientCert, met, alertHandshakeFailure)
		}
		s.teach(learn.ClientCertificate, whyRequested)
		return startOver, nil
	case errors.As(met, new(*failure)):
		return nil, met
	case met != nil && reason == "" && refusesCiphers(met):
		return func() error { return s.unsuited(ctx, met) }, nil
	case met != nil && reason == "":
		return func() error { return s.failedOrigin(ctx, met) }, nil
	case met != nil:
		switch how := s.engine.cfg.OnInvalid(reason); {
		case how == PassOn && !s.upgraded():
			return startOver, nil
		case how != Untrusted || s.originTLS == nil:
			return nil, refusal(reason, met, alertBadCertificate)
		}
		trusted = false
	}
	return nil, s.clientHandshake(ctx, hello, trusted)
}

// upgraded reports whether a dialogue has come before TLS, here or on a control
// connection. It cannot be started over.
func (s *session) upgraded() bool { return s.progress.Load() > 0 || s.data != nil }

// startOver gives up the origin leg, on which a handshake was begun, and tunnels
// over a new one.
func (s *session) startOver(ctx context.Context) error {
	s.giveUp()
	return s.tunnel(ctx)
}

// unsuited takes a session whose origin takes nothing that we offer.
func (s *session) unsuited(ctx context.Context, err error) error {
	s.account.note(policy.NoSharedCipher)
	switch d := s.askAgain(); {
	case d.Action == policy.Bump || d.Action != policy.Terminate && s.upgraded():
		return s.failedOrigin(ctx, err)
	default:
		s.account.Decision = d
	}
	switch s.account.Decision.Action {
	case policy.Terminate:
		s.account.Outcome = Terminated
		return fail(reasonPolicy, err, alertAccessDenied)
	case policy.TunnelCheck:
		s.giveUp()
		if err := s.check(ctx); err != nil {
			s.account.Outcome = Terminated
			return err
		}
		return s.tunnel(ctx)
	}
	return s.startOver(ctx)
}

// failedOrigin is for an origin with which no handshake can be made.
func (s *session) failedOrigin(ctx context.Context, err error) error {
	if incapable(err) && s.teach(learn.FailedOrigin, whyHandshake) && !s.upgraded() {
		return s.startOver(ctx)
	}
	return fail(reasonOriginTLS, err, alertHandshakeFailure)
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
	switch s.recall = nil; {
	case s.data != nil && s.data.latest != nil:
		cfg.ClientSessionCache = s.data.latest
	case s.control.Load() != nil:
		s.latest = new(latestSession)
		cfg.ClientSessionCache = s.latest
	default:
		cfg.ClientSessionCache = s.recallOrigin(keys != nil)
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
	if s.inquiry != nil && s.clientTLS == nil && s.originTLS == nil {
		return &s.inquiry.keys // it is not decided yet
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

// clientHandshake completes the handshake with the client: no version above the
// origin's, and exactly the application protocol that the origin chose.
func (s *session) clientHandshake(ctx context.Context, hello *clienthello.Hello, trusted bool) error {
	if s.in.Own != nil {
		s.own = s.in.Own(s.serverName(), trusted)
	}
	cfg := &tls.Config{
		MinVersion:                  s.engine.cfg.ClientMinVersion,
		MaxVersion:                  max(s.account.OriginTLS.Version, s.engine.cfg.ClientMinVersion),
		CipherSuites:                greenSuites,
		DynamicRecordSizingDisabled: true,
		KeyLogWriter:                s.keyLog(),
	}
	if s.account.ALPN != "" {
		cfg.NextProtos = []string{s.account.ALPN}
	}
	proof := &clientProof{session: s, ctx: ctx, trusted: trusted, ecdsa: hello.SupportsECDSA(cfg.MaxVersion)}
	proof.configure(cfg)
	left := s.left()
	start := time.Now()
	conn := tls.Server(s.client, cfg)
	s.client.SetDeadline(start.Add(s.engine.cfg.HandshakeTimeout))
	err := conn.Handshake()
	s.account.ClientTLS.Handshake = time.Since(start)
	state := conn.ConnectionState()
	if len(s.own) == 0 {
		s.account.Untrusted, s.account.ForgedSerial = !trusted, proof.serial(state.DidResume)
	}
	switch {
	case errors.As(err, new(*failure)):
		return err
	case err != nil:
		s.refused(err, left)
		return fail(reasonClientTLS, err, 0)
	}
	s.shaken, s.said = time.Now(), s.account.Octets(ClientToOrigin)
	s.client.SetDeadline(time.Time{})
	s.clientTLS = conn
	s.account.ClientTLS.Version, s.account.ClientTLS.Cipher, s.account.ClientTLS.Resumed = state.Version, state.CipherSuite, state.DidResume
	return nil
}
