package decrypt

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
	"github.com/clearspan/clearspan/decrypt/starttls"
)

// dialogue is the plain beginning of a session whose client does not speak
// first. It passes octets as they come, until the protocol is known to stay
// plain or the dialogue turns to TLS.
type dialogue struct {
	j *joint

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
func (j *joint) silent(ctx context.Context) error {
	if j.decide(j.facts()) != policy.Terminate {
		return j.converse(ctx)
	}
	// A name may still change that; nothing goes to the origin before.
	j.client.SetReadDeadline(time.Now().Add(j.e.cfg.HandshakeTimeout))
	err := j.client.await()
	j.client.SetReadDeadline(time.Time{})
	switch {
	case err == nil:
		return j.begin(ctx)
	case isTimeout(err):
		j.s.Outcome = Terminated
		return fail(reasonPolicy, nil, 0)
	}
	return helloFailure(err)
}

// converse passes a plain dialogue, and goes on with TLS if it turns to that.
func (j *joint) converse(ctx context.Context) error {
	switch j.decide(j.facts()) {
	case policy.Terminate:
		j.s.Outcome = Terminated
		return fail(reasonPolicy, nil, 0)
	case policy.Bump:
		j.s.Outcome = Passed
	default: // to be asked again when TLS begins
		j.s.Outcome = Tunneling
	}
	if err := j.dial(ctx); err != nil {
		j.s.Outcome = Failed
		return err
	}
	j.client.stall, j.origin.stall = j.e.cfg.IdleTimeout, j.e.cfg.IdleTimeout
	d := &dialogue{j: j}
	d.greeted(j.in.Greeting)
	j.mute = len(j.in.Greeting) == 0 && j.parent == nil
	err := j.both(
		func() error { return d.pump(ClientToOrigin, j.client, j.origin) },
		func() error { return d.pump(OriginToClient, j.origin, j.client) },
	)
	j.mute = false
	if d.follower != nil {
		j.s.StartTLS = j.e.upgraders.judge(j.s.Client.Addr(), j.s.Origin, d.follower.Offer(), time.Now())
	}
	if err != nil || !d.upgraded && !d.refused && !d.yielded {
		return err
	}
	for _, l := range []*leg{j.client, j.origin} {
		l.poked.Store(false)
		l.SetDeadline(time.Time{})
	}
	switch {
	case d.refused:
		return fail(reasonPolicy, nil, 0)
	case d.yielded:
		return j.serve(ctx, d.services, Plain, j.client, j.origin)
	}
	j.s.Outcome = Failed
	if c := j.control.Load(); c != nil {
		c.Secured()
	}
	return j.secure(ctx)
}

// greeted takes note of what the origin had said before the session began here.
func (d *dialogue) greeted(greeting []byte) {
	if len(greeting) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.j.s.Decision.Action == policy.Bump {
		d.j.open()
	}
	d.spoken[OriginToClient], d.heard[OriginToClient] = true, true
	if d.j.parent != nil {
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
	if d.follower != nil && d.j.e.cfg.Services != nil {
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
	if d.refused || d.j.s.Decision.Action != policy.Bump {
		return false
	}
	d.services = d.j.services()
	return len(d.services) > 0
}

// pump passes one direction until the dialogue is over.
func (d *dialogue) pump(dir Direction, from, to *leg) error {
	have := 0
	for {
		err := d.j.await(from, have)
		if err != nil && err != errPoked {
			return err
		}
		p := from.unread()
		ended := err == nil && len(p) <= have
		if len(p) > 0 && !d.spoken[dir] {
			d.first(dir, from)
			p = from.unread()
		}
		n, state, err := d.step(dir, p, ended)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := to.send(p[:n]); err != nil {
				return d.j.undeliverable(dir, from, err)
			}
			from.consume(n)
		}
		switch {
		case state == starttls.Upgraded:
			return nil
		case state == starttls.Done:
			from.large = true
			return d.j.pumpRaw(dir, Plain, from, to)
		case ended:
			return d.j.sourceEnded(dir, from, to)
		}
		have = len(from.unread())
	}
}

// first tells the protocol from the first octets of either side. Only the
// direction's own goroutine touches spoken[dir] and calls this.
func (d *dialogue) first(dir Direction, from *leg) {
	d.spoken[dir] = true
	if d.j.parent != nil {
		d.firstOfData(dir, from)
		return
	}
	if dir == OriginToClient {
		proto := d.j.sniff(from, sniff.Origin, d.j.e.cfg.Silence)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.proto == sniff.Unknown {
			d.proto = proto
		}
		return
	}
	proto := d.j.sniff(from, sniff.Client, crumbs*d.j.e.cfg.Silence)
	var host string
	if proto == sniff.HTTP {
		host = d.j.httpHost()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.j.s.Host = host
	switch {
	case d.proto == sniff.MySQL: // a packet's length may look like anything
	case proto == sniff.TLS:
		d.upgraded = true
		d.j.origin.poke()
	case d.proto == sniff.Unknown:
		d.proto = proto
	}
}

// firstOfData looks for nothing but the client's hello.
func (d *dialogue) firstOfData(dir Direction, from *leg) {
	hello := dir == ClientToOrigin && d.j.sniff(from, sniff.Client, crumbs*d.j.e.cfg.Silence) == sniff.TLS
	d.mu.Lock()
	defer d.mu.Unlock()
	if hello {
		d.upgraded = true
		d.j.origin.poke()
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
		d.j.origin.poke()
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
		for _, l := range []*leg{d.j.client, d.j.origin} {
			l.SetWriteDeadline(time.Now().Add(lingering)) // nobody waits for a peer that does not read
			l.poke()
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
	if n > 0 && d.j.s.Decision.Action == policy.Bump {
		d.j.open()
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
		d.j.begun()
	}
	if err := d.j.relayedParts(dir, d.parts, p[:n]); err != nil {
		return 0, state, err
	}
	if state == starttls.Upgraded && !d.yielded {
		d.upgraded = true
		if dir == ClientToOrigin {
			d.j.origin.poke() // it is not asked to answer
		}
	}
	if d.held && state != starttls.Requested {
		d.j.client.poke()
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
	d.j.s.Protocol = proto.String()
	if proto == sniff.FTP {
		d.j.watch(false)
	}
	switch d.j.decide(d.j.facts()) {
	case policy.Terminate:
		d.j.s.Outcome = Terminated
		d.refused = true
	case policy.Bump:
		d.j.s.Outcome = Passed
	default:
		d.j.s.Outcome = Tunneling
	}
}

// httpHost reads the client's first request as far as its Host.
func (j *joint) httpHost() string {
	j.client.SetReadDeadline(time.Now().Add(j.e.cfg.HandshakeTimeout))
	defer j.client.SetReadDeadline(time.Time{})
	for {
		host, ok, more := sniff.Host(j.client.unread())
		if ok || !more {
			return host
		}
		if j.client.fill(true) != nil {
			return ""
		}
	}
}
