package decrypt

import (
	"crypto/tls"
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Foresee tells what the policy says of a session whose client's first octets are
// flight, for intakes that can leave a connection alone altogether. With more,
// flight does not decide yet. Bump stands for all that only a connection to the
// origin, or the name's addresses, can decide. The engine itself decides again in [Engine.Serve].
// It borrows flight.
func (e *Engine) Foresee(in *Incoming, flight []byte) (action policy.Action, more bool) {
	s, more := e.foresee(in, flight)
	if more {
		return 0, true
	}
	if s.Decision.Pending || e.cfg.Names == NamesFirst && s.SNI != "" && s.Decision.Action != policy.Terminate {
		return policy.Bump, false // it is for the engine to find out, with a connection of its own
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
	j, f, more := e.gather(in, flight)
	if j.expect(false); j.parent != nil {
		if j.decide(j.facts()) != policy.Terminate && j.parent.active && j.parent.protected {
			j.s.Decision.Action = policy.Tunnel // the hello has gone by: it came from the other end
		}
		return j.s, false
	}
	if more {
		return j.s, true
	}
	j.decide(f)
	return j.s, false
}

// Facts returns what the first octets of a client tell the policy. With more,
// further octets would tell more. It borrows flight.
func Facts(in *Incoming, flight []byte) (f *policy.Facts, more bool) {
	e := &Engine{cfg: Config{ClientMinVersion: tls.VersionTLS12}}
	_, f, more = e.gather(in, flight)
	return f, more
}

func (e *Engine) gather(in *Incoming, flight []byte) (j *joint, f *policy.Facts, more bool) {
	j = &joint{e: e, s: newSession(in), in: in}
	proto, more := sniff.Client(flight)
	if more {
		return j, j.facts(), true
	}
	j.s.Protocol = proto.String()
	if proto == sniff.HTTP {
		if j.s.Host, _, more = sniff.Host(flight); more {
			return j, j.facts(), true
		}
	}
	f = j.facts()
	if proto == sniff.TLS {
		hello, _, err := clienthello.Parse(flight)
		if errors.Is(err, clienthello.ErrShort) {
			return j, f, true
		}
		if err == nil {
			j.s.SNI = hello.ServerName
			j.s.ClientTLS.JA4 = hello.JA4()
			f = j.helloFacts(hello)
		}
	}
	return j, f, false
}
