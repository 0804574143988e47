package decrypt

import (
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/internal/relay"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// open starts the session's stream if there is a tap.
func (s *session) open() {
	if s.opened || s.engine.cfg.Tap == nil {
		return
	}
	s.opened = true
	s.stream = s.engine.cfg.Tap.Open(s.account)
	if greeting := s.in.Greeting; len(greeting) > 0 {
		dir := s.sessionDir(OriginToClient)
		_ = s.legs.Record(dir, len(greeting), func(first bool) { // nothing has failed before the first octet
			s.show(dir, Plain, greeting, first)
		})
	}
}

// show counts p and hands it to the tap.
func (s *session) show(dir Direction, content Content, p []byte, first bool) {
	s.count(dir, p, first)
	if s.stream != nil {
		s.stream.Data(s.sessionDir(dir), content, p)
	}
}

// showParts is show for octets of several kinds.
func (s *session) showParts(dir Direction, parts []Part, p []byte, first bool) {
	if a, ok := s.stream.(Assembler); ok && len(parts) > 1 {
		s.count(dir, p, first)
		a.Assemble(s.sessionDir(dir), parts, p)
		return
	}
	for _, part := range parts {
		s.show(dir, part.Content, p[:part.N], first)
		p = p[part.N:]
	}
}

// add counts octets of a direction of the legs.
func (s *session) add(dir Direction, octets uint64) {
	dir = s.sessionDir(dir)
	s.account.octets[dir].Add(octets)
	if dir == OriginToClient && octets > 0 {
		s.account.heard()
	}
	if relayed := s.engine.cfg.Relayed; relayed != nil {
		relayed(s.account, dir, octets)
	}
}

// count counts p, and looks for what it announces.
func (s *session) count(dir Direction, p []byte, first bool) {
	s.add(dir, uint64(len(p)))
	if dir == OriginToClient && s.content != Tunneled {
		s.passesUnread(p)
	}
	if first && dir == OriginToClient && s.originTLS != nil {
		if proto, _ := sniff.Origin(p); proto == sniff.FTP { // behind TLS from the first octet
			s.watch(true)
		}
	}
	if c := s.control.Load(); c != nil {
		s.announce(c, dir, p)
	}
}

// legsRecorder records a session's octets. It implements [relay.Recorder].
type legsRecorder struct{ *session }

// Relayed implements [relay.Recorder].
func (r legsRecorder) Relayed(dir Direction, p []byte, first bool) { r.show(dir, r.content, p, first) }

// Spliced implements [relay.Recorder].
func (r legsRecorder) Spliced(dir Direction, octets int64) {
	r.add(dir, uint64(octets))
	if b, ok := r.stream.(Blind); ok {
		b.Passed(r.sessionDir(dir), uint64(octets))
	}
}

// Ended implements [relay.Recorder].
func (r legsRecorder) Ended(dir Direction) {
	if dir == ClientToOrigin && r.clientTLS != nil && r.account.Octets(dir) == r.said && !r.legs.Finished(OriginToClient) {
		r.closedSilently = time.Since(r.shaken) < silentClose
	}
	if r.stream != nil {
		r.stream.End(r.sessionDir(dir), Finished)
	}
}

// Reset implements [relay.Recorder].
func (r legsRecorder) Reset(dir Direction) {
	if r.stream != nil {
		r.stream.End(r.sessionDir(dir), Reset)
	}
}

// both runs one function a direction, by [Contain]. The first error ends the other, and
// is returned with its reason.
func (s *session) both(toOrigin, toClient func() error) error {
	return s.relayFailure(s.legs.Both(s.client, s.origin,
		func() error { return Contain(toOrigin) },
		func() error { return Contain(toClient) },
	))
}

// relayFailure gives the reason for an error of a relay. Others stay as they are.
func (s *session) relayFailure(err error) error {
	var b *relay.Broken
	switch {
	case errors.Is(err, relay.ErrSilent):
		return fail(reasonNoFlight, nil, 0)
	case errors.Is(err, relay.ErrIdle):
		return fail(reasonIdle, nil, 0)
	case !errors.As(err, &b):
		return err
	case leg.IsTimeout(b.Err):
		return fail(reasonIdle, b.Err, 0)
	case s.sessionDir(b.Dir) == ClientToOrigin:
		return fail(reasonClientReset, b.Err, 0)
	}
	return fail(reasonOriginReset, b.Err, 0)
}
