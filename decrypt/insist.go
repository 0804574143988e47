package decrypt

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// certificateMatter reports whether a handshake with an origin failed because we have
// no client certificate.
func certificateMatter(err error) bool {
	return errors.Is(err, handshake.ErrCertificateRequested) || errors.Is(err, handshake.ErrCertificateRequired)
}

// answersNone reports whether an origin that asks for a client certificate is told that
// there is none.
func (s *session) answersNone() bool {
	switch s.engine.cfg.Origin.ClientCertificate {
	case AnswerNone:
		return s.upgraded() || s.bare || !s.certified()
	case TunnelRequest:
		return s.upgraded()
	}
	return false
}

// certified reports whether the operator has named the host for its client certificates.
func (d *decision) certified() bool {
	named := d.engine.cfg.CertificateHost
	return named != nil && named(d.identity())
}

// uncertified takes a session whose origin asks for a client certificate, or insists on
// one, as err says. It is tunneled only if the origin is known to be who it should be:
// else any origin could have its sessions passed unopened.
func (s *session) uncertified(ctx context.Context, err error) (stage, error) {
	refused := refusal(reasonClientCert, err, handshake.AlertHandshakeFailure)
	how := s.engine.cfg.Origin.ClientCertificate
	switch {
	case how == BlockRequest, s.upgraded():
		return stageEnd, refused
	case how == TunnelRequest:
		s.report(learn.ClientCertificate, whyRequested)
		return s.unbump(), nil
	case errors.Is(err, handshake.ErrCertificateRequested): // of a host that the operator has named
		if s.confirmed(ctx) {
			s.report(learn.ClientCertificate, whyRequested)
		}
		return s.unbump(), nil
	case s.heedInsistence(ctx):
		return s.unbump(), nil
	}
	return stageEnd, refused
}

// heedInsistence learns of an origin that insists on a client certificate, and reports
// whether its sessions are tunneled: not if it was found untrustworthy, or if nothing but
// its own word says that it has its name.
func (s *session) heedInsistence(ctx context.Context) bool {
	if s.account.OriginTLS.Verdict == "" && len(s.originState.PeerCertificates) > 0 {
		s.judge(ctx, s.originState) // the verdict stays
	}
	verdict := s.account.OriginTLS.Verdict
	if verdict != "ok" && s.engine.cfg.Origin.OnInvalid.Action(verdict) == Block {
		return false
	}
	return s.confirmed(ctx) && s.report(learn.ClientCertificate, whyInsisted)
}

// confirmed reports whether the DNS leads the name of the origin to where the session
// goes, as far as there is a name.
func (s *session) confirmed(ctx context.Context) bool {
	name := s.identity()
	if s.serverName() == "" && s.account.Name == "" || s.account.Name != "" && plainName(s.account.Name) != plainName(name) {
		return false // an address is no name, and lessons hold for the name that a proxy is asked for
	}
	if s.questionable(name) == "" {
		return true
	}
	belongs, _ := s.engine.resolves(ctx, s.checkKey(name), proofTimeout)
	return belongs
}

// isCertifiedHost finds out whether an origin that asks for a client certificate is the
// host that the operator has named for it: by its certificate, else by the DNS.
func (s *session) isCertifiedHost(ctx context.Context) bool {
	if len(s.originState.PeerCertificates) > 0 && s.judge(ctx, s.originState) == nil {
		return true
	}
	return s.confirmed(ctx)
}

// Bounds of how long an origin that asked for a certificate has to insist on it, in
// TLS 1.3, beside twice the time of the handshake.
const (
	insistAtLeast = 50 * time.Millisecond
	insistAtMost  = time.Second
)

// errHasty says that the origin has sent data where its word on our certificate was
// waited for, which was read by that.
var errHasty = errors.New("origin sends data before the client")

// awaitInsistence waits until the origin has said what it makes of it that there is no
// client certificate: in TLS 1.3 it says so behind the handshake, by an alert or, as most
// do, by a ticket. An origin that is silent in time goes on. Nothing is read but an
// alert; the smallest record, of two octets, may be one.
func (s *session) awaitInsistence(r *handshake.Result) error {
	if !r.Requested || r.State.Version < tls.VersionTLS13 || s.patient {
		return nil
	}
	s.origin.SetReadDeadline(time.Now().Add(min(max(2*r.Took, insistAtLeast), insistAtMost)))
	defer s.origin.SetReadDeadline(time.Time{})
	const head, alert = 5, 2 + 1 + 16 // octets: of a record's header, of an alert with its type and tag
	for need := head; len(s.origin.Unread()) < need; {
		if s.origin.Fill(true) != nil {
			return nil // its end is met again by who reads next
		}
		if p := s.origin.Unread(); len(p) >= head {
			n := int(binary.BigEndian.Uint16(p[3:]))
			if n > alert {
				return nil
			}
			need = head + n
		}
	}
	n, err := r.Conn.Read(make([]byte, alert))
	if n > 0 {
		s.patient = true
		return errHasty
	}
	if err = handshake.Insists(err); errors.Is(err, handshake.ErrCertificateRequired) {
		return err
	}
	return nil // the end comes again
}

// insisted tells the learner of an origin that insisted on a client certificate when the
// client's handshake was over, and returns err, with which the relay has ended, with the
// reason that fits. The client's next session is tunneled, if it may be.
func (s *session) insisted(ctx context.Context, err error) error {
	f := (*failure)(nil)
	if !s.requested || !errors.As(err, &f) || f.reason != reasonOriginReset || s.account.Octets(OriginToClient) > 0 {
		return err
	}
	if insists := handshake.Insists(f.err); errors.Is(insists, handshake.ErrCertificateRequired) {
		if how := s.engine.cfg.Origin.ClientCertificate; how == AnswerNone && !s.upgraded() {
			s.heedInsistence(ctx)
		}
		return fail(reasonClientCert, insists, 0)
	}
	return err
}
