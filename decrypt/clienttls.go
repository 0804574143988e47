package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
)

// clientHandshake completes the handshake with the client: no version above the
// origin's, and exactly the application protocol that the origin chose.
func (s *session) clientHandshake(ctx context.Context, trusted bool) error {
	if s.in.Own != nil {
		s.own = s.in.Own(s.serverName(), trusted)
	}
	c := &handshake.Client{
		MinVersion: s.engine.cfg.Client.MinTLS,
		MaxVersion: max(s.account.OriginTLS.Version, s.engine.cfg.Client.MinTLS),
		Protocol:   s.account.ALPN,
		Keys:       s.keyLog(),
		Timeout:    s.engine.cfg.Client.HandshakeTimeout,
		Own:        s.own,
	}
	ecdsa := s.hello.SupportsECDSA(c.MaxVersion)
	c.Forge = func() (*tls.Certificate, error) { return s.forge(ctx, s.originState.PeerCertificates, trusted, ecdsa) }
	if !s.engine.cfg.Client.FullHandshakes {
		c.Tickets, c.Binding = s.engine.tickets, s.binding(s.own, trusted)
	}
	gone := s.clientGone()
	result, err := c.Shake(s.client)
	a := &s.account.ClientTLS
	a.Handshake = result.Took
	if len(s.own) == 0 {
		s.account.Untrusted, s.account.ForgedSerial = !trusted, c.Serial(result.State.DidResume)
	}
	switch {
	case errors.As(err, new(*failure)):
		return err
	case err != nil:
		s.refused(err, gone)
		return fail(reasonClientTLS, err, 0)
	}
	s.shaken, s.said = time.Now(), s.account.Octets(ClientToOrigin)
	s.clientTLS = result.Conn
	a.Version, a.Cipher, a.Resumed = result.State.Version, result.State.CipherSuite, result.State.DidResume
	return nil
}
