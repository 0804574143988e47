package decrypt

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Learner remembers what sessions teach; a *[learn.Table] is one. Safe for
// concurrent use. It borrows facts.
type Learner interface {
	// Recall returns the lesson for which a session that the policy would bump is
	// to be tunneled, "" if it is not.
	Recall(f *policy.Facts, t *policy.Treatment) learn.Lesson
	// Knows reports whether a lesson is known of a session.
	Knows(l learn.Lesson, f *policy.Facts) bool
	// Learn is told what a session taught that d decided on, and why. It reports
	// whether sessions of the kind are tunneled from now on.
	Learn(l learn.Lesson, f *policy.Facts, d policy.Decision, why string) (tunnel bool)
	// Accepted is told of a session whose client took our leaf and went on.
	Accepted(f *policy.Facts)
}

// noLearner learns nothing.
type noLearner struct{}

func (noLearner) Recall(*policy.Facts, *policy.Treatment) learn.Lesson                { return "" }
func (noLearner) Knows(learn.Lesson, *policy.Facts) bool                              { return false }
func (noLearner) Learn(learn.Lesson, *policy.Facts, policy.Decision, string) (_ bool) { return }
func (noLearner) Accepted(*policy.Facts)                                              {}

// report passes a lesson on and notes it.
func (s *session) report(l learn.Lesson, why string) (tunnel bool) {
	s.account.Taught = l
	return s.engine.cfg.Learner.Learn(l, s.asked, s.account.Decision, why)
}

// silentClose is how soon after its handshake a client ends the connection that does
// not like our leaf but keeps the reason to itself.
const silentClose = 2 * time.Second

// proven reports whether a refusal of the leaf says something of the client: it
// was ours, the origin has proven the name it is for, and it is no data connection,
// which a client may give up at any time.
func (s *session) proven() bool {
	return len(s.own) == 0 && s.data == nil && s.account.OriginTLS.Verdict == "ok"
}

// clientGone reports whether the client has ended the connection before it could see
// our leaf. Nothing is consumed.
func (s *session) clientGone() bool {
	if s.client.Socket() && len(s.client.Unread()) < leg.MaxPeek/2 {
		s.client.Fill(false) // an end is met again by who reads next
	}
	return s.client.Err() != nil
}

// refused notes that the client's handshake failed, if that was because of the
// leaf. gone says that the client had ended before it was sent.
func (s *session) refused(err error, gone bool) {
	switch word := cmp.Or(refusalIn(err), refusalInClear(s.client.Tail(), err)); {
	case word != "":
		s.account.Refusal = word
	case errors.Is(err, io.EOF) && !gone:
		s.account.Refusal = learn.Closed
	default: // reset, silent, or at odds about something else
		return
	}
	if s.proven() && s.account.Refusal != refusalExpired {
		s.report(learn.Pinned, s.account.Refusal)
	}
}

// received tells the learner what a client that finished its handshake made of
// the leaf, when the relay has ended with err, and returns err with the reason
// that fits.
func (s *session) received(err error) error {
	if !s.proven() {
		return err
	}
	if s.account.Octets(ClientToOrigin) > s.said {
		s.engine.cfg.Learner.Accepted(s.asked)
		return err
	}
	f := (*failure)(nil)
	if errors.As(err, &f) && f.reason == reasonClientReset && refusalIn(f.err) != "" {
		s.refused(f.err, false)
		return fail(reasonClientTLS, f.err, 0)
	}
	if err == nil && s.closedSilently {
		s.refused(io.EOF, false)
	}
	return err
}

const refusalExpired = "certificate_expired" // a matter of the client's clock

// refusals are the alerts by which a client refuses a certificate (RFC 8446,
// Section 6.2).
var refusals = map[handshake.Alert]string{
	// The client found the certificate broken. Many clients say so of pinned hosts.
	42: "bad_certificate",
	// The client does not support the kind of certificate.
	43: "unsupported_certificate",
	// The client believes that the certificate is revoked.
	44: "certificate_revoked",
	// The client believes that the certificate has expired. Its clock may be wrong.
	45: refusalExpired,
	// The client refused for another reason. Pinned applications say so.
	46: "certificate_unknown",
	// The client does not trust the CA, or pins its certificates.
	48: "unknown_ca",
}

// Reasons of lessons, in the log.
const (
	// The origin refused fewer application protocols than the client's.
	whyRefused = "refused"
	// The origin asked for a client certificate.
	whyRequested = "requested"
	// The origin ended the session because there was no client certificate.
	whyInsisted = "insisted"
	// The TLS handshake with the origin failed.
	whyHandshake = "handshake"
	// The origin renegotiated TLS 1.2 within a session, and that failed.
	whyRenegotiation = "renegotiation"
)

// refusalIn returns the word for the alert behind err, "" if it is another error.
func refusalIn(err error) string {
	said := handshake.RemoteAlert(err)
	for a, word := range refusals {
		if said == tls.AlertError(a).Error() { // crypto/tls has no type for it outside QUIC
			return word
		}
	}
	return ""
}

// recordAlert is the type of a record that holds an alert (RFC 8446, Section 5.1).
const recordAlert = 21

// refusalInClear returns the word for an alert in clear, the last that was read, where one in TLS 1.3 was due
// encrypted. That is how OpenSSL refuses a certificate, since it has no keys in
// force before its Finished; crypto/tls takes it for a record that was tampered with.
func refusalInClear(t leg.Tail, err error) string {
	local := (*net.OpError)(nil)
	if !errors.As(err, &local) || local.Op != "local error" || local.Err == nil || local.Err.Error() != tls.AlertError(handshake.AlertBadRecordMAC).Error() {
		return ""
	}
	if t[0] != recordAlert || t[1] != 3 || t[3] != 0 || t[4] != 2 || t[5] != 2 {
		return ""
	}
	return refusals[handshake.Alert(t[6])]
}
