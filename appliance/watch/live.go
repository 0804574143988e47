package watch

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Live is an open session. It is the session's [decrypt.Observer].
type Live struct {
	registry *Registry
	running  decrypt.Running
	account  *decrypt.Session // only what any goroutine may read
	key      uint64

	mu     sync.Mutex // guards the rest
	shown  bool       // subscribers were told that it is open
	stage  string
	stream decrypt.Stream // nil: nothing is mirrored
	known  known
}

// known is what an account says that only the session's own goroutines may read: a copy
// of when the session reached its stage.
type known struct {
	Origin, Destination            netip.AddrPort
	Upstream, Protocol, Host, SNI  string
	ALPN, Related, Refusal, Serial string
	Offer                          decrypt.Offer
	StartTLS                       decrypt.StartTLS
	Outcome                        decrypt.Outcome
	Notice                         decrypt.Notice
	Decision                       policy.Decision
	BypassBy                       decrypt.Cause
	Taught                         learn.Lesson
	ClientTLS, OriginTLS           decrypt.LegTLS
}

// know copies what an account says.
func know(s *decrypt.Session) known {
	return known{
		Origin: s.Origin, Destination: s.Destination,
		Upstream: s.Upstream, Protocol: s.Protocol, Host: s.Host, SNI: s.SNI,
		ALPN: s.ALPN, Related: s.Related, Refusal: s.Refusal, Serial: s.ForgedSerial,
		Offer: s.Offer, StartTLS: s.StartTLS, Outcome: s.Outcome, Notice: s.Notice,
		Decision: s.Decision, BypassBy: s.BypassBy, Taught: s.Taught,
		ClientTLS: s.ClientTLS, OriginTLS: s.OriginTLS,
	}
}

// Reached implements [decrypt.Observer].
func (l *Live) Reached(stage string) {
	k := know(l.account)
	l.mu.Lock()
	l.stage, l.known = stage, k
	first := stage == decrypt.StageRelay && !l.shown
	l.shown = l.shown || first
	l.mu.Unlock()
	if first {
		l.registry.subscribers.tell(func() Row { return l.row(time.Now()) })
	}
}

// row returns what is known now.
func (l *Live) row(now time.Time) Row {
	l.mu.Lock()
	k, stage := l.known, l.stage
	l.mu.Unlock()
	r := rowOf(l.account, &k)
	r.State, r.Stage, r.Duration, r.Outcome = Open, stage, max(now.Sub(r.Start), 0), k.outcome(stage)
	r.Lost = l.account.Missed()
	return r
}

// outcome returns how a session is carried that has come to a stage; "" if that is open.
func (k *known) outcome(stage string) string {
	switch stage {
	case decrypt.StageRelay, decrypt.StageDialogue, decrypt.StageRefuse:
		return k.Outcome.String()
	}
	return ""
}

// rowOf returns the row of an account, of which k is known.
func rowOf(s *decrypt.Session, k *known) Row {
	r := Row{
		Session: s.ID, Start: s.Start.UTC(), Client: unmap(s.Client), Origin: unmap(k.Origin),
		Host: cmp.Or(k.Host, s.Name, k.SNI), SNI: k.SNI, ALPN: k.ALPN,
		Sent: s.Octets(decrypt.ClientToOrigin), Received: s.Octets(decrypt.OriginToClient),
	}
	r.Words = Words{
		Intake: s.Intake, Transport: "tcp", Upstream: k.Upstream, Protocol: k.Protocol, StartTLS: k.StartTLS.String(),
		Rule: k.Decision.Rule, Events: eventList(s.Events()),
		BypassBy: string(k.BypassBy), Learned: k.Decision.Learned, Taught: string(k.Taught),
		Outcome: k.Outcome.String(), Notice: k.Notice.String(), Refusal: k.Refusal, Verdict: k.OriginTLS.Verdict,
		Service: results(s.Services()),
	}
	if r.Rule != "" {
		r.Action = k.Decision.Action.String()
		if k.Decision.Monitored {
			r.Would = k.Decision.Would.String()
		}
	}
	return r
}

// eventLists has the lists of events that were asked for: there are few combinations.
var eventLists sync.Map // of policy.Events

// eventList lists events.
func eventList(e policy.Events) List {
	if e == 0 {
		return ""
	}
	if list, ok := eventLists.Load(e); ok {
		return list.(List)
	}
	list := List(strings.Join(e.Names(), ","))
	eventLists.Store(e, list)
	return list
}

// results lists what services did.
func results(by map[string]string) List {
	if len(by) == 0 {
		return ""
	}
	list := make([]string, 0, len(by))
	for name, result := range by {
		list = append(list, name+"="+result)
	}
	slices.Sort(list)
	return List(strings.Join(list, ","))
}

// unmap turns an IPv4 address in IPv6 form into its own.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
