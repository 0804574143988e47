package decrypt

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Preview tells what the policy says of a session whose client's first octets are
// flight, for intakes that can leave a connection alone altogether. With more,
// flight does not decide yet. Bump stands for all that only a connection to the
// origin, or the name's addresses, can decide. The engine itself decides again in
// [Engine.Serve]. It borrows flight.
func (e *Engine) Preview(in *Incoming, flight []byte) (action policy.Action, more bool) {
	d, more := e.preview(in, flight)
	if more {
		return 0, true
	}
	switch a := d.account; {
	case a.Decision.Pending, e.cfg.Names == NamesFirst && a.SNI != "" && a.Decision.Action != policy.Terminate,
		a.Decision.Action == policy.Tunnel && !d.provenOffhand():
		return policy.Bump, false // it is for the engine to find out, with a connection of its own
	}
	return d.account.Decision.Action, false
}

// Account accounts for a session that its intake leaves alone after [Engine.Preview]
// said tunnel: it ends at once, as far as the engine knows, with no octets. It
// borrows flight.
func (e *Engine) Account(in *Incoming, flight []byte) {
	d, _ := e.preview(in, flight)
	a := d.account
	a.Outcome = Tunneling
	a.attribute()
	a.End = time.Now()
	if e.cfg.Ended != nil {
		e.cfg.Ended(a, nil)
	}
}

// preview decides on the first flight.
func (e *Engine) preview(in *Incoming, flight []byte) (d decision, more bool) {
	d = e.newDecision(in)
	more = d.read(flight)
	if d.announced(false) {
		d.hello = nil // as in Serve: a file may begin like anything
		if d.ask(d.facts()) != policy.Terminate && d.data.active && d.data.protected {
			d.account.Decision.Action, d.account.Decision.Claim = policy.Tunnel, policy.NoClaim // the hello has gone by: it came from the other end
		}
		return d, false
	}
	if !more {
		d.ask(d.facts())
	}
	return d, more
}

// Facts returns what the first octets of a client tell the policy. With more,
// further octets would tell more. It borrows flight.
func Facts(in *Incoming, flight []byte) (f *policy.Facts, more bool) {
	e := &Engine{cfg: Config{Client: ClientOptions{MinTLS: tls.VersionTLS12}}}
	d := e.newDecision(in)
	more = d.read(flight)
	return d.facts(), more
}

// read notes what the client's first octets tell. With more, further octets would tell
// more. It borrows flight.
func (d *decision) read(flight []byte) (more bool) {
	proto, more := sniff.Client(flight)
	if more {
		return true
	}
	d.account.Protocol = proto.String()
	switch proto {
	case sniff.HTTP:
		d.account.Host, d.doubt, more = sniff.Host(flight)
	case sniff.TLS:
		hello, _, err := clienthello.Parse(flight)
		if err == nil {
			d.meet(hello)
		}
		more = errors.Is(err, clienthello.ErrShort)
	}
	return more
}
