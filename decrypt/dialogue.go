package decrypt

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
	"github.com/clearspan/clearspan/decrypt/starttls"
)

// dialogue is the plain beginning of a session whose client does not speak
// first. It passes octets as they come, until the protocol is known to stay
// plain or the dialogue turns to TLS.
type dialogue struct {
	session *session

	spoken [2]bool // each direction's own: its first octets were looked at

	mu       sync.Mutex // guards the rest, and the order in which taps see octets
	heard    [2]bool
	proto    sniff.Protocol
	follower *starttls.Dialogue // nil: nothing to follow (yet)
	decided  bool               // the policy was asked with the protocol known
	upgraded bool
	refused  bool // by the policy, when the protocol was known
	yielded  bool // services carry the rest, as it stays plain
	held     bool // the client's octets wait for an answer of the origin
	spans    []starttls.Span
	parts    []Part
	services []Service // that yielded is for
}

// silent takes a session whose client waits for the origin to speak.
func (s *session) silent(ctx context.Context) error {
	if s.ask(s.facts()) != policy.Terminate {
		return s.converse(ctx)
	}
	// A name may still change that; nothing goes to the origin before.
	s.client.SetReadDeadline(time.Now().Add(s.engine.cfg.HandshakeTimeout))
	err := s.client.Await()
	s.client.SetReadDeadline(time.Time{})
	switch {
	case err == nil:
		return s.begin(ctx)
	case leg.IsTimeout(err):
		s.account.Outcome = Terminated
		return fail(reasonPolicy, nil, 0)
	}
	return helloFailure(err)
}

// converse passes a plain dialogue, and goes on with TLS if it turns to that.
func (s *session) converse(ctx context.Context) error {
	switch s.ask(s.facts()) {
	case policy.Terminate:
		s.account.Outcome = Terminated
		return fail(reasonPolicy, nil, 0)
	case policy.Bump:
		s.account.Outcome = Passed
	default: // to be asked again when TLS begins
		s.account.Outcome = Tunneling
	}
	if err := s.dial(ctx); err != nil {
		s.account.Outcome = Failed
		return err
	}
	s.client.Stall(s.engine.cfg.IdleTimeout)
	s.origin.Stall(s.engine.cfg.IdleTimeout)
	d := &dialogue{session: s}
	d.greeted(s.in.Greeting)
	s.mute = len(s.in.Greeting) == 0 && s.data == nil
	err := s.both(
		func() error { return d.pump(ClientToOrigin, s.client, s.origin) },
		func() error { return d.pump(OriginToClient, s.origin, s.client) },
	)
	s.mute = false
	if d.follower != nil {
		s.account.StartTLS = s.engine.upgraders.judge(s.account.Client.Addr(), s.account.Origin, d.follower.Offer(), time.Now())
	}
	if err != nil || !d.upgraded && !d.refused && !d.yielded {
		return err
	}
	for _, l := range []*leg.Leg{s.client, s.origin} {
		l.Poked()
		l.SetDeadline(time.Time{})
	}
	switch {
	case d.refused:
		return fail(reasonPolicy, nil, 0)
	case d.yielded:
		return s.serve(ctx, d.services, Plain, s.client, s.origin)
	}
	s.account.Outcome = Failed
	if c := s.control.Load(); c != nil {
		c.Secured()
	}
	return s.secure(ctx)
}

// greeted takes note of what the origin had said before the session began here.
func (d *dialogue) greeted(greeting []byte) {
	if len(greeting) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session.account.Decision.Action == policy.Bump {
		d.session.open()
	}
	d.spoken[OriginToClient], d.heard[OriginToClient] = true, true
	if d.session.data != nil {
		return // a file may begin like anything
	}
	d.proto, _ = sniff.Origin(greeting)
	if d.follow(); d.follower != nil {
		d.spans, _, _ = d.follower.Origin(greeting, d.spans[:0])
	}
}

// follow begins to follow the protocol, if there is anything to follow.
func (d *dialogue) follow() {
	d.follower = starttls.New(d.proto)
	if d.follower != nil && d.session.engine.cfg.Services != nil {
		d.follower.Yield()
	}
}

// yield hands the session over if services are to carry what stays plain. Nothing
// of the client's then is on its way that the origin has not answered.
func (d *dialogue) yield() bool {
	d.yielded = d.awaited()
	return d.yielded
}

// errUnanswered ends a session that services should carry: what is held would go on
// unseen.
var errUnanswered = errors.New("client ended while commands waited for earlier answers")

// awaited reports whether services are to carry the session if it stays plain.
func (d *dialogue) awaited() bool {
	if d.refused || d.session.account.Decision.Action != policy.Bump {
		return false
	}
	d.services = d.session.services()
	return len(d.services) > 0
}

// pump passes one direction until the dialogue is over.
func (d *dialogue) pump(dir Direction, from, to *leg.Leg) error {
	have := 0
	for {
		err := d.session.await(from, have)
		if err != nil && err != errPoked {
			return err
		}
		p := from.Unread()
		ended := err == nil && len(p) <= have
		if len(p) > 0 && !d.spoken[dir] {
			d.first(dir, from)
			p = from.Unread()
		}
		n, state, err := d.step(dir, p, ended)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := to.Send(p[:n]); err != nil {
				return d.session.undeliverable(dir, from, err)
			}
			from.Consume(n)
		}
		switch {
		case state == starttls.Upgraded:
			return nil
		case state == starttls.Done:
			from.Large()
			return d.session.pumpRaw(dir, Plain, from, to)
		case ended:
			return d.session.sourceEnded(dir, from, to)
		}
		have = len(from.Unread())
	}
}

// first tells the protocol from the first octets of either side. Only the
// direction's own goroutine touches spoken[dir] and calls this.
func (d *dialogue) first(dir Direction, from *leg.Leg) {
	d.spoken[dir] = true
	if d.session.data != nil {
		d.firstOfData(dir, from)
		return
	}
	if dir == OriginToClient {
		proto := d.session.sniff(from, sniff.Origin, d.session.engine.cfg.Silence)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.proto == sniff.Unknown {
			d.proto = proto
		}
		return
	}
	proto := d.session.sniff(from, sniff.Client, crumbs*d.session.engine.cfg.Silence)
	var host string
	if proto == sniff.HTTP {
		host = d.session.httpHost()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session.account.Host = host
	switch {
	case d.proto == sniff.MySQL: // a packet's length may look like anything
	case proto == sniff.TLS:
		d.upgraded = true
		d.session.origin.Poke()
	case d.proto == sniff.Unknown:
		d.proto = proto
	}
}

// firstOfData looks for nothing but the client's hello.
func (d *dialogue) firstOfData(dir Direction, from *leg.Leg) {
	hello := dir == ClientToOrigin && d.session.sniff(from, sniff.Client, crumbs*d.session.engine.cfg.Silence) == sniff.TLS
	d.mu.Lock()
	defer d.mu.Unlock()
	if hello {
		d.upgraded = true
		d.session.origin.Poke()
		return
	}
	d.heard = [2]bool{true, true} // it is not protected after all
}

// step examines p, the unread octets of one direction, and shows the taps the n
// octets of it that can be passed. With ended, no more will come.
func (d *dialogue) step(dir Direction, p []byte, ended bool) (n int, state starttls.State, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.upgraded || d.refused || d.yielded {
		return 0, starttls.Upgraded, nil
	}
	begins := dir == ClientToOrigin && !d.heard[0] && !d.heard[1] && len(p) > 0
	d.heard[dir] = d.heard[dir] || len(p) > 0
	if d.follower == nil {
		d.follow()
	}
	d.spans, n, state = d.spans[:0], len(p), starttls.Following
	switch {
	case d.follower == nil:
		if d.heard[0] && d.heard[1] {
			state = starttls.Done // both spoke, and it is nothing we follow
		}
		d.spans = append(d.spans, starttls.Span{N: n})
	case dir == ClientToOrigin:
		d.spans, n, state = d.follower.Client(p, d.spans)
	default:
		d.spans, n, state = d.follower.Origin(p, d.spans)
	}
	d.recognize()
	web := begins && (d.proto == sniff.HTTP || d.proto == sniff.HTTP2) // of a client that was silent for a while
	switch {
	case (web || state == starttls.Plain) && d.yield():
		d.session.origin.Poke()
		if web {
			return 0, starttls.Upgraded, nil
		}
		state = starttls.Upgraded
	case dir == ClientToOrigin && (state == starttls.Plain || state == starttls.Requested && n < len(p)) && !d.refused && !d.awaited():
		d.follower.Resume()
		var more int
		d.spans, more, state = d.follower.Client(p[n:], d.spans)
		n += more
	}
	if d.refused {
		for _, l := range []*leg.Leg{d.session.client, d.session.origin} {
			l.SetWriteDeadline(time.Now().Add(lingering)) // nobody waits for a peer that does not read
			l.Poke()
		}
		return 0, starttls.Upgraded, nil
	}
	if state == starttls.Violation {
		return 0, state, fail(reasonPipelined, nil, 0)
	}
	if state == starttls.Requested && ended && dir == ClientToOrigin && d.awaited() {
		return 0, state, fail(reasonService, errUnanswered, 0)
	}
	if rest := len(p) - n; ended && rest > 0 && state != starttls.Upgraded {
		d.spans = append(d.spans, starttls.Span{N: rest})
		n = len(p)
	}
	if n > 0 && d.session.account.Decision.Action == policy.Bump {
		d.session.open()
	}
	d.parts = d.parts[:0]
	for _, span := range d.spans {
		content := Plain
		if span.Upgrade {
			content = Upgrade
		}
		if span.N > 0 {
			d.parts = append(d.parts, Part{span.N, content})
		}
	}
	if n > 0 {
		d.session.begun()
	}
	if err := d.session.relayedParts(dir, d.parts, p[:n]); err != nil {
		return 0, state, err
	}
	if state == starttls.Upgraded && !d.yielded {
		d.upgraded = true
		if dir == ClientToOrigin {
			d.session.origin.Poke() // it is not asked to answer
		}
	}
	if d.held && state != starttls.Requested {
		d.session.client.Poke()
	}
	d.held = state == starttls.Requested
	return n, state, nil
}

// recognize asks the policy again as soon as the protocol is known.
func (d *dialogue) recognize() {
	proto := d.proto
	if d.follower != nil {
		proto = d.follower.Protocol()
	}
	if d.decided || proto == sniff.Unknown || proto == sniff.Greeting220 {
		return
	}
	d.decided = true
	d.session.account.Protocol = proto.String()
	if proto == sniff.FTP {
		d.session.watch(false)
	}
	switch d.session.ask(d.session.facts()) {
	case policy.Terminate:
		d.session.account.Outcome = Terminated
		d.refused = true
	case policy.Bump:
		d.session.account.Outcome = Passed
	default:
		d.session.account.Outcome = Tunneling
	}
}

// httpHost reads the client's first request as far as its Host.
func (s *session) httpHost() string {
	s.client.SetReadDeadline(time.Now().Add(s.engine.cfg.HandshakeTimeout))
	defer s.client.SetReadDeadline(time.Time{})
	for {
		host, ok, more := sniff.Host(s.client.Unread())
		if ok || !more {
			return host
		}
		if s.client.Fill(true) != nil {
			return ""
		}
	}
}
