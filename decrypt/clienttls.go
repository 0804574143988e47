package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"time"
)

// clientHandshake completes the handshake with the client: no version above the
// origin's, and exactly the application protocol that the origin chose.
func (s *session) clientHandshake(ctx context.Context, trusted bool) error {
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
	proof := &clientProof{session: s, ctx: ctx, trusted: trusted, ecdsa: s.hello.SupportsECDSA(cfg.MaxVersion)}
	proof.configure(cfg)
	gone := s.clientGone()
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
		s.refused(err, gone)
		return fail(reasonClientTLS, err, 0)
	}
	s.shaken, s.said = time.Now(), s.account.Octets(ClientToOrigin)
	s.client.SetDeadline(time.Time{})
	s.clientTLS = conn
	s.account.ClientTLS.Version, s.account.ClientTLS.Cipher, s.account.ClientTLS.Resumed = state.Version, state.CipherSuite, state.DidResume
	return nil
}
