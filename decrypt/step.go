package decrypt

import (
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/internal/relay"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
	"github.com/clearspan/clearspan/decrypt/starttls"
)

// step examines p, the unread octets of one direction, and shows the taps the n
// octets of it that can be passed. With ended, no more will come.
func (d *dialogue) step(dir Direction, p []byte, ended bool) (n int, state starttls.State, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over() {
		return 0, starttls.Upgraded, nil
	}
	if d.awaits(dir, p, ended) {
		return 0, starttls.Following, nil
	}
	first := dir == ClientToOrigin && !d.heard[dir] && len(p) > 0
	goesOn := d.goesOn(dir, p)
	late := dir == ClientToOrigin && d.decides(p)
	n, state = d.read(dir, p)
	if state == starttls.Foreign {
		d.stray(p[n:])
	}
	d.recognize()
	switch {
	case state == starttls.Foreign:
		n, state = d.abandon(p, n)
	case (first || late) && d.leave():
		d.spans, n, state = d.spans[:0], 0, starttls.Upgraded
	default:
		n, state = d.choose(dir, p, n, state, first || goesOn)
	}
	if d.refused {
		d.dismiss()
		return 0, starttls.Upgraded, nil
	}
	if err := d.fault(dir, state, ended); err != nil {
		return 0, state, err
	}
	if rest := len(p) - n; ended && rest > 0 && state != starttls.Upgraded {
		d.spans = append(d.spans, starttls.Span{N: rest})
		n = len(p)
	}
	if err := d.show(dir, p[:n]); err != nil {
		return 0, state, err
	}
	if dir == ClientToOrigin && d.undecided {
		d.begun = append(d.begun, p[:n]...)
	}
	d.wake(dir, state)
	return n, state, nil
}

// read has the follower read p. The first n octets of it, which are in spans, may be
// passed.
func (d *dialogue) read(dir Direction, p []byte) (n int, state starttls.State) {
	d.heard[dir] = d.heard[dir] || len(p) > 0
	if d.follower == nil {
		d.begin()
	}
	d.spans = d.spans[:0]
	switch {
	case d.follower == nil:
		d.spans = append(d.spans, starttls.Span{N: len(p)})
		if d.heard[0] && d.heard[1] && !d.undecided {
			return len(p), starttls.Done // both spoke, and it is nothing we follow
		}
		return len(p), starttls.Following
	case dir == ClientToOrigin:
		d.spans, n, state = d.follower.Client(p, d.spans)
	default:
		d.spans, n, state = d.follower.Origin(p, d.spans)
		if state == starttls.Done && !d.heard[ClientToOrigin] {
			state = starttls.Following // the client may not fit
		}
	}
	return n, state
}

// recognize asks the policy again as soon as the protocol is known, and if it turns out to
// be another one: the server may know none of the commands that told it.
func (d *dialogue) recognize() {
	proto := d.proto
	if d.follower != nil {
		proto = d.follower.Protocol()
	}
	unknown := proto == sniff.Unknown || proto == sniff.Greeting220
	if proto == d.decided && !d.strays || unknown && !d.strays {
		return
	}
	d.decided, d.strays = proto, false
	s := d.session
	s.account.Protocol = proto.String()
	s.control.Store(nil)
	if proto == sniff.FTP {
		s.watch(false)
	}
	s.ask(s.facts())
	d.refused = s.choose() == stageTerminate
	s.settle()
	s.reached()
	if !d.refused && s.account.Decision.Action == policy.Bump {
		d.permit()
	}
}

// permit asks services that are not for the protocol whether it may pass beside them.
func (d *dialogue) permit() {
	s := d.session
	for _, service := range s.askServices() {
		if r, ok := service.(refuser); ok {
			if d.refusal = r.Refuse(s.account); d.refusal != nil {
				return
			}
		}
	}
}

// choose has services carry what stays plain. If there are none, the follower goes on
// with what it held back for them. A client begins that was silent for a while, or whose
// first octets tell no protocol.
func (d *dialogue) choose(dir Direction, p []byte, n int, state starttls.State, begins bool) (int, starttls.State) {
	web := begins && d.mayBeHTTP()
	switch {
	case (web || state == starttls.Plain) && d.yield():
		if d.session.origin.Poke(); dir == OriginToClient {
			d.session.client.Poke()
		}
		if web {
			d.spans, n = d.spans[:0], 0
		}
		return n, starttls.Upgraded
	case dir == ClientToOrigin && (state == starttls.Plain || state == starttls.Requested && n < len(p)) && !d.refused && !d.awaited():
		d.follower.Resume()
		var more int
		d.spans, more, state = d.follower.Client(p[n:], d.spans)
		return n + more, state
	}
	return n, state
}

// decides looks whether p makes a request of what the client has begun.
func (d *dialogue) decides(p []byte) (late bool) {
	if !d.undecided || len(d.begun) == 0 {
		return false
	}
	proto, more := sniff.Client(append(d.begun[:len(d.begun):len(d.begun)], p...))
	d.undecided = more
	if proto != sniff.HTTP && proto != sniff.HTTP2 || d.proto != sniff.Unknown {
		return false
	}
	d.proto = proto
	return true
}

// leave hands a session of HTTP over to where its requests are judged. What the client has
// begun waits there.
func (d *dialogue) leave() bool {
	if d.proto != sniff.HTTP && d.proto != sniff.HTTP2 || d.refused || !d.session.judges() {
		return false
	}
	d.undecided = false
	if d.session.account.Decision.Action == policy.Bump {
		d.services = d.session.askServices()
	}
	d.yielded = true
	d.session.origin.Poke()
	return true
}

// mayBeHTTP reports whether the client's first octets are a request, or do not tell
// what they are.
func (d *dialogue) mayBeHTTP() bool {
	switch d.proto {
	case sniff.HTTP, sniff.HTTP2:
		return true
	case sniff.Unknown:
		return d.session.data == nil
	}
	return false
}

// yield hands the session over if services are to carry what stays plain. Nothing
// of the client's then is on its way that the origin has not answered.
func (d *dialogue) yield() bool {
	d.yielded = d.awaited()
	return d.yielded
}

// awaited reports whether services are to carry the session if it stays plain.
func (d *dialogue) awaited() bool {
	if d.refused || d.session.account.Decision.Action != policy.Bump {
		return false
	}
	d.services = d.session.askServices()
	return len(d.services) > 0
}

// dismiss ends both directions of a session that is refused.
func (d *dialogue) dismiss() {
	for _, l := range []*leg.Leg{d.session.client, d.session.origin} {
		l.SetWriteDeadline(time.Now().Add(relay.CloseLinger)) // nobody waits for a peer that does not read
		l.Poke()
	}
}

// errUnanswered ends a session that services should carry: what is held would go on
// unseen.
var errUnanswered = errors.New("client ended while commands waited for earlier answers")

// fault returns why the dialogue must not go on, nil if it may.
func (d *dialogue) fault(dir Direction, state starttls.State, ended bool) error {
	switch {
	case d.refusal != nil:
		return d.session.serviceFailure(d.refusal)
	case state == starttls.Violation:
		return fail(reasonPipelined, nil, 0)
	case state == starttls.Requested && ended && dir == ClientToOrigin && d.awaited():
		return fail(reasonService, errUnanswered, 0)
	}
	return nil
}

// show gives the taps p, which is in spans. It borrows p.
func (d *dialogue) show(dir Direction, p []byte) error {
	if len(p) > 0 {
		if d.session.account.Decision.Action == policy.Bump {
			d.session.open()
		}
		d.session.begun()
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
	return d.session.legs.Record(dir, len(p), func(first bool) { d.session.showParts(dir, d.parts, p, first) })
}

// wake ends the other direction's wait where it has to look again.
func (d *dialogue) wake(dir Direction, state starttls.State) {
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
}
