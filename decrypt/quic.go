package decrypt

import (
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// QUIC is what an intake saw of a QUIC flow, which the engine does not carry.
type QUIC struct {
	Version   uint32   // of the client's first packet; 0 if it was not read
	Datagrams int      // of the client, until the flow was judged
	Hello     string   // how much of the ClientHello was read: a word of package quic
	ALPN      []string // that the client offers
	Refused   bool
}

// protocolQUIC is the protocol of a QUIC flow. It is met by rules for tls, too, if it
// has a hello.
const protocolQUIC = "quic"

// Terminator is a [Policy] that knows whether it ever terminates anything. Of another
// one the engine expects it.
type Terminator interface{ Terminates() bool }

// JudgeQUIC decides on a QUIC flow whose client has sent this hello, nil if it is not
// whole. With block it is refused whatever the policy says. Otherwise it passes, unless
// the policy terminates it, or cannot tell: where that depends on a look-up of the name,
// on the origin's certificate, or on a hello that is not there. The caller accounts for
// the session, which has ended. Its QUIC is q, with what the engine found out.
func (e *Engine) JudgeQUIC(in *Incoming, q *QUIC, hello *clienthello.Hello, block bool) *Session {
	d := e.newDecision(in)
	s := d.account
	s.Protocol, s.QUIC, s.Outcome = protocolQUIC, q, Tunneling
	if hello != nil {
		d.meet(hello)
		q.ALPN, s.ClientTLS.JA4 = hello.ALPN, hello.JA4QUIC()
	}
	d.asked = d.facts()
	s.Decision = e.cfg.Policy.Decide(d.asked)
	switch is := &s.Decision; {
	case is.Action == policy.Terminate:
		s.Reason = reasonPolicy
	case block:
		s.Reason = reasonQUICBlocked
	case is.Action == policy.Tunnel && !d.provenOffhand() && d.unproven().Action == policy.Terminate:
		s.Reason = reasonQUICUnjudged
	case is.Action == policy.TunnelCheck, is.Pending, e.cfg.Names == NamesFirst && s.SNI != "", hello == nil && e.mayTerminate():
		s.Reason = reasonQUICUnjudged
	}
	if s.Reason != "" {
		s.Outcome, q.Refused = Terminated, true
	}
	s.attribute()
	s.End = time.Now()
	return s
}

// mayTerminate reports whether the policy terminates sessions by what is in a hello.
func (e *Engine) mayTerminate() bool {
	t, ok := e.cfg.Policy.(Terminator)
	return !ok || t.Terminates()
}
