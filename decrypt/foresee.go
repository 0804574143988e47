package decrypt

import (
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Foresee tells what the policy says of a session whose client's first octets are
// flight, for intakes that can leave a connection alone altogether. With more,
// flight does not decide yet. The engine itself decides again in [Engine.Serve].
// It borrows flight.
func (e *Engine) Foresee(in *Incoming, flight []byte) (action policy.Action, more bool) {
	s, more := e.foresee(in, flight)
	if more {
		return 0, true
	}
	return s.Decision.Action, false
}

// Bypass accounts for a session that its intake leaves alone after [Foresee]
// said tunnel: it ends at once, as far as the engine knows, with no octets. It
// borrows flight.
func (e *Engine) Bypass(in *Incoming, flight []byte) {
	s, _ := e.foresee(in, flight)
	s.Outcome = Tunneling
	s.End = time.Now()
	if e.cfg.Ended != nil {
		e.cfg.Ended(s, nil)
	}
}

func (e *Engine) foresee(in *Incoming, flight []byte) (s *Session, more bool) {
	j := &joint{e: e, s: newSession(in), in: in}
	if j.expect(false); j.parent != nil {
		if j.decide(j.facts()) != policy.Terminate && j.parent.active && j.parent.protected {
			j.s.Decision.Action = policy.Tunnel // the hello has gone by: it came from the other end
		}
		return j.s, false
	}
	proto, more := sniff.Client(flight)
	if more {
		return j.s, true
	}
	j.s.Protocol = proto.String()
	if proto == sniff.HTTP {
		if j.s.Host, _, more = sniff.Host(flight); more {
			return j.s, true
		}
	}
	f := j.facts()
	if proto == sniff.TLS {
		hello, _, err := clienthello.Parse(flight)
		if errors.Is(err, clienthello.ErrShort) {
			return j.s, true
		}
		if err == nil {
			j.s.SNI = hello.ServerName
			j.s.ClientTLS.JA4 = hello.JA4()
			f = j.helloFacts(hello)
		}
	}
	j.decide(f)
	return j.s, false
}
