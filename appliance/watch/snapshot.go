package watch

import (
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Attach notes the stream of an open session, for [Registry.Snapshot].
func (r *Registry) Attach(s *decrypt.Session, t decrypt.Stream) {
	if l := r.live(s.ID); l != nil {
		l.mu.Lock()
		l.stream = t
		l.mu.Unlock()
	}
}

// Snapshot returns the row of an open session, an account that says what is known of it,
// and its stream, nil for none. The account is the caller's; octets and events are in the
// row only. It is nil if there is no such session.
func (r *Registry) Snapshot(id string) (Row, *decrypt.Session, decrypt.Stream) {
	l := r.live(id)
	if l == nil {
		return Row{}, nil, nil
	}
	l.mu.Lock()
	k, t := l.known, l.stream
	l.mu.Unlock()
	s := &decrypt.Session{
		ID: l.account.ID, Intake: l.account.Intake, Client: l.account.Client, Name: l.account.Name, Start: l.account.Start,
		Origin: k.Origin, Destination: k.Destination,
		Upstream: k.Upstream, Protocol: k.Protocol, Host: k.Host, SNI: k.SNI,
		ALPN: k.ALPN, Related: k.Related, Refusal: k.Refusal, ForgedSerial: k.Serial,
		Offer: k.Offer, StartTLS: k.StartTLS, Outcome: k.Outcome, Notice: k.Notice,
		Decision: k.Decision, BypassBy: k.BypassBy, Taught: k.Taught,
		ClientTLS: k.ClientTLS, OriginTLS: k.OriginTLS,
	}
	for name, result := range l.account.Services() {
		s.Served(name, result)
	}
	for name, finding := range l.account.Findings() {
		s.Found(name, finding)
	}
	return l.row(time.Now()), s, t
}
