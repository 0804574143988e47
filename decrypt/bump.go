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
func (j *joint) bump(ctx context.Context, hello *clienthello.Hello) error {
	var instead func() error
	if err := j.e.crew.run(func() (err error) {
		instead, err = j.establish(ctx, hello)
		return err
	}); err != nil {
		return err
	}
	if instead != nil {
		return instead()
	}
	j.begun()
	j.s.Outcome = Bumped
	if j.s.SNI != "" && (j.s.ALPN == "" || j.s.ALPN == "http/1.1" || j.s.ALPN == "h2") {
		j.inside = new(inside)
	}
	if services := j.services(); len(services) > 0 {
		return j.received(j.overruled(j.serve(ctx, services, Decrypted, j.clientTLS, j.originTLS)))
	}
	j.open()
	return j.received(j.overruled(j.relay()))
}

// establish makes the handshakes: first the origin's, then, with what it taught, the
// client's. A session that is not to be bumped after all goes on with instead.
func (j *joint) establish(ctx context.Context, hello *clienthello.Hello) (instead func() error, err error) {
	var met error // what came of the origin's
	if j.inquiry != nil {
		met = j.inquiry.err
	} else {
		if err := j.dial(ctx); err != nil {
			return nil, err
		}
		met = j.meetOrigin(ctx, hello)
	}
	startOver := func() error { return j.startOver(ctx) }
	trusted := true
	switch reason := j.s.OriginTLS.Verdict; {
	case errors.Is(met, errCertificateRequested):
		if j.e.cfg.CertificateRequest == BlockRequest || j.upgraded() {
			return nil, refusal(reasonClientCert, met, alertHandshakeFailure)
		}
		j.teach(learn.ClientCertificate, whyRequested)
		return startOver, nil
	case errors.As(met, new(*failure)):
		return nil, met
	case met != nil && reason == "" && refusesCiphers(met):
		return func() error { return j.unsuited(ctx, met) }, nil
	case met != nil && reason == "":
		return func() error { return j.failedOrigin(ctx, met) }, nil
	case met != nil:
		switch how := j.e.cfg.OnInvalid(reason); {
		case how == PassOn && !j.upgraded():
			return startOver, nil
		case how != Untrusted || j.originTLS == nil:
			return nil, refusal(reason, met, alertBadCertificate)
		}
		trusted = false
	}
	return nil, j.clientHandshake(ctx, hello, trusted)
}

// upgraded reports whether a dialogue has come before TLS, here or on a control
// connection. It cannot be started over.
func (j *joint) upgraded() bool { return j.progress.Load() > 0 || j.parent != nil }

// startOver gives up the origin leg, on which a handshake was begun, and tunnels
// over a new one.
func (j *joint) startOver(ctx context.Context) error {
	j.giveUp()
	return j.tunnel(ctx)
}

// unsuited takes a session whose origin takes nothing that we offer.
func (j *joint) unsuited(ctx context.Context, err error) error {
	j.s.note(policy.NoSharedCipher)
	switch d := j.decideAgain(); {
	case d.Action == policy.Bump || d.Action != policy.Terminate && j.upgraded():
		return j.failedOrigin(ctx, err)
	default:
		j.s.Decision = d
	}
	switch j.s.Decision.Action {
	case policy.Terminate:
		j.s.Outcome = Terminated
		return fail(reasonPolicy, err, alertAccessDenied)
	case policy.TunnelCheck:
		j.giveUp()
		if err := j.check(ctx); err != nil {
			j.s.Outcome = Terminated
			return err
		}
		return j.tunnel(ctx)
	}
	return j.startOver(ctx)
}

// failedOrigin is for an origin with which no handshake can be made.
func (j *joint) failedOrigin(ctx context.Context, err error) error {
	if incapable(err) && j.teach(learn.FailedOrigin, whyHandshake) && !j.upgraded() {
		return j.startOver(ctx)
	}
	return fail(reasonOriginTLS, err, alertHandshakeFailure)
}

// serverName is the name the origin is asked for, "" if none is known.
func (j *joint) serverName() string {
	switch {
	case j.s.SNI != "":
		return j.s.SNI
	case j.in.SNI != "":
		return j.in.SNI
	}
	return ""
}

// identity is what the origin's certificate must be valid for.
func (j *joint) identity() string {
	if name := j.serverName(); name != "" {
		return name
	}
	if j.parent != nil {
		return j.parent.name
	}
	if j.s.Name != "" {
		return j.s.Name
	}
	return j.s.Origin.Addr().Unmap().WithZone("").String()
}

// originHandshake completes the handshake with the origin, whatever its
// certificate says, and offers it the given application protocols. On failure
// Verdict and Finding are set if the reason is one of trust.
func (j *joint) originHandshake(offer []string) error {
	start := time.Now()
	keys := j.keyLog()
	cfg := &tls.Config{
		ServerName:                  j.serverName(),
		NextProtos:                  offer,
		InsecureSkipVerify:          true, // judged below, by the Verifier
		MinVersion:                  j.e.cfg.OriginMinVersion,
		CipherSuites:                greenSuites,
		DynamicRecordSizingDisabled: true,
		KeyLogWriter:                keys,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			switch how := j.e.cfg.CertificateRequest; {
			case how == AnswerNone, how == TunnelRequest && j.upgraded():
				return new(tls.Certificate), nil
			}
			return nil, errCertificateRequested
		},
	}
	switch j.recall = nil; {
	case j.parent != nil && j.parent.resumable != nil:
		cfg.ClientSessionCache = j.parent.resumable
	case j.control.Load() != nil:
		j.resumable = new(resumable)
		cfg.ClientSessionCache = j.resumable
	default:
		cfg.ClientSessionCache = j.recallOrigin(keys != nil)
	}
	conn := tls.Client(j.origin, cfg)
	j.origin.SetDeadline(start.Add(j.e.cfg.HandshakeTimeout))
	err := conn.Handshake()
	j.s.OriginTLS.Handshake = time.Since(start)
	j.originState = conn.ConnectionState()
	if err != nil {
		if j.s.OriginTLS.Verdict = j.e.cfg.HandshakeReason(err); j.s.OriginTLS.Verdict != "" {
			j.s.OriginTLS.Finding = finding(err)
		}
		return err
	}
	j.origin.SetDeadline(time.Time{})
	state := &j.originState
	j.originTLS = conn
	j.s.ALPN = state.NegotiatedProtocol
	j.s.OriginTLS.Version, j.s.OriginTLS.Cipher, j.s.OriginTLS.Resumed = state.Version, state.CipherSuite, state.DidResume
	j.s.OriginTLS.ChainSHA256 = chainHash(state.PeerCertificates)
	return nil
}

// keyLog is where the secrets of a handshake go, nil for nowhere.
func (j *joint) keyLog() io.Writer {
	if j.e.cfg.KeyLog == nil {
		return nil
	}
	if j.inquiry != nil && j.clientTLS == nil && j.originTLS == nil {
		return &j.inquiry.keys // it is not decided yet
	}
	return j.e.cfg.KeyLog(j.s)
}

// judge asks the verifier, notes its verdict, "ok" or a reason, and what it learned
// of revocation, and returns its error.
func (j *joint) judge(ctx context.Context) error {
	state := j.originState
	var err error
	if a, ok := j.e.cfg.Verifier.(Assessor); ok {
		j.s.OriginTLS.Revocation, err = a.Assess(ctx, j.identity(), &state)
	} else {
		err = j.e.cfg.Verifier.Verify(ctx, j.identity(), &state)
	}
	verdict := "ok"
	if err != nil {
		verdict = "unknown"
		var r interface{ Reason() string }
		if errors.As(err, &r) {
			verdict = r.Reason()
		}
		j.s.OriginTLS.Finding = finding(err)
	}
	j.s.OriginTLS.Verdict = verdict
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
func (j *joint) clientHandshake(ctx context.Context, hello *clienthello.Hello, trusted bool) error {
	if j.in.Own != nil {
		j.own = j.in.Own(j.serverName(), trusted)
	}
	cfg := &tls.Config{
		MinVersion:                  j.e.cfg.ClientMinVersion,
		MaxVersion:                  max(j.s.OriginTLS.Version, j.e.cfg.ClientMinVersion),
		CipherSuites:                greenSuites,
		DynamicRecordSizingDisabled: true,
		KeyLogWriter:                j.keyLog(),
	}
	if j.s.ALPN != "" {
		cfg.NextProtos = []string{j.s.ALPN}
	}
	proof := &clientProof{j: j, ctx: ctx, trusted: trusted, ecdsa: hello.SupportsECDSA(cfg.MaxVersion)}
	proof.configure(cfg)
	left := j.left()
	start := time.Now()
	conn := tls.Server(j.client, cfg)
	j.client.SetDeadline(start.Add(j.e.cfg.HandshakeTimeout))
	err := conn.Handshake()
	j.s.ClientTLS.Handshake = time.Since(start)
	state := conn.ConnectionState()
	if len(j.own) == 0 {
		j.s.Untrusted, j.s.ForgedSerial = !trusted, proof.serial(state.DidResume)
	}
	switch {
	case errors.As(err, new(*failure)):
		return err
	case err != nil:
		j.refused(err, left)
		return fail(reasonClientTLS, err, 0)
	}
	j.shaken, j.said = time.Now(), j.s.Octets(ClientToOrigin)
	j.client.SetDeadline(time.Time{})
	j.clientTLS = conn
	j.s.ClientTLS.Version, j.s.ClientTLS.Cipher, j.s.ClientTLS.Resumed = state.Version, state.CipherSuite, state.DidResume
	return nil
}
