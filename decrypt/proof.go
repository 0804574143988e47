package decrypt

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"time"
)

// clientProof is how the client of one session is shown whom it is connected to:
// by a certificate, or by a ticket of an earlier session with the same origin.
// The origin's handshake is over and judged by then, always.
type clientProof struct {
	session *session
	ctx     context.Context
	trusted bool
	ecdsa   bool
	logged  bool   // the secrets of the leg are logged
	binding []byte // what a ticket must have been given for
	shown   ticket // by certificate
	resumed ticket // by ticket
}

// configure has cfg ask p for a certificate, and for tickets unless they are
// switched off.
func (p *clientProof) configure(cfg *tls.Config) {
	if own := p.session.own; len(own) > 0 {
		cfg.Certificates = own
		p.shown.until = time.Now().Add(ticketPeriods * ticketPeriod)
		for i := range own {
			if leaf := own[i].Leaf; leaf != nil && leaf.NotAfter.Before(p.shown.until) {
				p.shown.until = leaf.NotAfter
			}
		}
	} else {
		cfg.GetCertificate = p.certificate
	}
	if p.session.engine.cfg.FullClientHandshakes {
		cfg.SessionTicketsDisabled = true
		return
	}
	p.logged = cfg.KeyLogWriter != nil
	p.binding = p.session.binding(p.trusted)
	cfg.WrapSession = p.wrap
	cfg.UnwrapSession = p.unwrap
}

// certificate forges. TLS 1.3 comes here only for a client that does not resume,
// TLS 1.2 always.
func (p *clientProof) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	chain := p.session.originState.PeerCertificates
	leaf, err := p.session.engine.cfg.Forger.Forge(p.ctx, chain, p.session.serverName(), p.trusted, p.ecdsa)
	if err != nil {
		return nil, fail(reasonForge, err, 0) // crypto/tls sends internal_error
	}
	p.shown.until = time.Now().Add(ticketPeriods * ticketPeriod)
	if leaf.Leaf != nil {
		p.shown.serial = leaf.Leaf.SerialNumber.Text(16)
		p.shown.until = leaf.Leaf.NotAfter
	}
	return leaf, nil
}

// wrap seals the session's own ticket. One that was resumed passes on by what
// leaf its client knows the origin, so that resuming does not outlive the leaf.
func (p *clientProof) wrap(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
	t := p.shown
	if cs.DidResume {
		t = p.resumed
	}
	return p.session.engine.tickets.seal(time.Now(), p.binding, t, state)
}

// unwrap opens the ticket that the client sent. One that does not open makes for
// a full handshake.
func (p *clientProof) unwrap(sealed []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	if cs.Version < tls.VersionTLS13 && p.logged {
		return nil, nil // crypto/tls logs no secret of such a session
	}
	t, state := p.session.engine.tickets.open(time.Now(), p.binding, sealed)
	p.resumed = t
	return state, nil
}

// serial is that of the leaf by which the client knows the origin, "" where none
// was forged.
func (p *clientProof) serial(resumed bool) string {
	if resumed {
		return p.resumed.serial
	}
	return p.shown.serial
}

// binding says what a client's session is good for: this name at this port, these
// certificates of the origin, this verdict on them, this authority. The policy
// generation, and the process, are bound by the engine's keys.
func (s *session) binding(trusted bool) []byte {
	p := make([]byte, 0, 512)
	bound := []string{s.identity(), s.serverName(), s.account.OriginTLS.ChainSHA256, s.account.OriginTLS.Verdict}
	for _, own := range s.own {
		if len(own.Certificate) > 0 {
			bound = append(bound, string(own.Certificate[0]))
		}
	}
	for _, s := range bound {
		p = binary.BigEndian.AppendUint32(p, uint32(len(s)))
		p = append(p, s...)
	}
	p = binary.BigEndian.AppendUint16(p, s.account.Origin.Port())
	if trusted {
		p = append(p, 1)
	}
	sum := sha256.Sum256(p)
	return sum[:]
}
