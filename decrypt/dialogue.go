package decrypt

import (
	"context"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/internal/relay"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
	"github.com/clearspan/clearspan/decrypt/starttls"
)

// converse dials the origin of a dialogue that may turn to TLS.
func (s *session) converse(ctx context.Context) (stage, error) {
	return stageDialogue, s.dial(ctx)
}

// follow passes a plain dialogue. The session goes on with TLS if it turns to that, and
// by way of services if it stays plain.
func (s *session) follow(context.Context) (stage, error) {
	s.opening, s.content = opensDialogue, Plain
	s.client.Stall(s.engine.cfg.Client.IdleTimeout)
	s.origin.Stall(s.engine.cfg.Client.IdleTimeout)
	d := &dialogue{session: s}
	d.greeted(s.in.Greeting)
	if len(s.in.Greeting) == 0 && s.data == nil {
		s.legs.Silence = s.engine.cfg.Client.SilenceTimeout
	}
	err := s.both(
		func() error { return d.pump(ClientToOrigin, s.client, s.origin) },
		func() error { return d.pump(OriginToClient, s.origin, s.client) },
	)
	s.legs.Silence = 0
	if d.follower != nil {
		s.negotiated = d.follower.Offer() == starttls.Accepted
		s.account.StartTLS = s.engine.upgraders.judge(s.account.Client.Addr(), s.account.Origin, d.follower.Offer(), time.Now())
	}
	switch {
	case err == nil && s.legs.Turned() && !d.refused:
		return s.turn()
	case err != nil || !d.over():
		s.heed()
		return stageEnd, err
	}
	for _, l := range []*leg.Leg{s.client, s.origin} {
		l.Poked()
		l.SetDeadline(time.Time{})
	}
	switch {
	case d.refused:
		return stageTerminate, nil
	case d.yielded:
		if s.account.Decision.Action != policy.Bump {
			s.content = Tunneled
		}
		s.services = d.services
		s.inspect(d.begun)
		return stageRelay, nil
	}
	if c := s.control.Load(); c != nil {
		c.Secured()
	}
	return stageHello, nil
}

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
	decided  sniff.Protocol     // that the policy was asked with last; Unknown: it was not
	upgraded bool
	refused  bool  // by the policy, when the protocol was known
	yielded  bool  // services carry the rest, as it stays plain
	refusal  error // of a service that the protocol may not pass by
	held     bool  // the client's octets wait for an answer of the origin
	spans    []starttls.Span
	parts    []Part
	services []Service // that yielded is for

	told      sniff.Protocol // by the greeting; Unknown: none
	keeps     bool           // the greeting may still tell a protocol, and waits
	strays    bool           // the client's words are none of the protocol that was told; the policy is to be asked
	undecided bool           // the client's octets do not tell the protocol, and requests are to be judged
	begun     []byte         // those of them that were passed
}

// over reports whether the session goes on with another stage.
func (d *dialogue) over() bool {
	return d.upgraded || d.refused || d.yielded || d.session.legs.Turned()
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
	d.told = d.proto
	if d.begin(); d.follower != nil {
		d.spans, _, _ = d.follower.Origin(greeting, d.spans[:0])
	}
}

// begin begins to follow the protocol, if there is anything to follow.
func (d *dialogue) begin() {
	d.follower = starttls.New(d.proto)
	if d.follower != nil {
		d.follower.Check()
	}
	if d.follower != nil && d.session.engine.cfg.Services != nil {
		d.follower.Yield()
	}
}

// pump passes one direction until the dialogue is over.
func (d *dialogue) pump(dir Direction, from, to *leg.Leg) error {
	have := 0
	for {
		err := d.session.legs.Await(from, have)
		if err != nil && err != relay.ErrPoked {
			return err
		}
		p := from.Unread()
		ended := err == nil && len(p) <= have
		if len(p) > 0 && !d.spoken[dir] {
			d.first(dir, from)
		}
		if p, err = d.begins(dir, from, to, have, err); err != nil {
			return err
		}
		whole := len(from.Unread())
		n, state, err := d.step(dir, p, ended)
		if err != nil {
			return err
		}
		if n > 0 {
			if err := to.Send(p[:n]); err != nil {
				return d.session.legs.Undeliverable(dir, from, err)
			}
			from.Consume(n)
		}
		switch {
		case state == starttls.Upgraded:
			return nil
		case state == starttls.Done:
			from.Large()
			return d.session.legs.Raw(dir, from, to)
		case ended:
			return d.session.legs.SourceEnded(dir, from, to)
		}
		if have = len(from.Unread()); len(p) < whole {
			have = 0
		}
	}
}

// begins looks at what the client goes on with, which may be the hello of TLS though
// nothing has negotiated it. It returns what may be passed of it before the next look.
func (d *dialogue) begins(dir Direction, from, to *leg.Leg, have int, poked error) ([]byte, error) {
	p := from.Unread()
	if dir == OriginToClient || len(p) == 0 || have > 0 && poked == nil || !d.free() {
		return p, nil
	}
	n, turned, err := d.session.legs.Begins(from, to)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.follower != nil && !turned { // who knows where lines end
		return from.Unread(), err
	}
	return from.Unread()[:n], err
}

// free reports whether the client may go on: no answer is waited for.
func (d *dialogue) free() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.held && !d.over() && d.proto != sniff.MySQL
}

// first tells the protocol from the first octets of either side. Only the
// direction's own goroutine touches spoken[dir] and calls this.
func (d *dialogue) first(dir Direction, from *leg.Leg) {
	d.spoken[dir] = true
	s := d.session
	switch {
	case s.data != nil:
		d.firstOfData(dir, from)
	case dir == OriginToClient:
		proto := s.sniff(from, sniff.Origin, s.engine.cfg.Silence)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.proto == sniff.Unknown {
			d.proto = proto
		}
	default:
		proto := s.sniff(from, sniff.Client, s.engine.sniffTimeout())
		host, doubt := s.requestedHost(proto)
		d.mu.Lock()
		defer d.mu.Unlock()
		s.account.Host, s.doubt = host, doubt
		_, more := sniff.Client(from.Unread())
		d.undecided = more && s.judges()
		d.firstOfClient(proto)
	}
}

// firstOfClient takes note of what the client's first octets look like.
func (d *dialogue) firstOfClient(proto sniff.Protocol) {
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
	hello := dir == ClientToOrigin && d.session.sniff(from, sniff.Client, d.session.engine.sniffTimeout()) == sniff.TLS
	d.mu.Lock()
	defer d.mu.Unlock()
	if hello {
		d.upgraded = true
		d.session.origin.Poke()
		return
	}
	d.heard = [2]bool{true, true} // it is not protected after all
}
