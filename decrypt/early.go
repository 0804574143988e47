package decrypt

import (
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// EarlyPolicy is a [Policy] that knows which decisions stand before a client has said
// anything.
type EarlyPolicy interface {
	// Settle returns the decision on facts known before the client's first octet,
	// and whether it stands whatever becomes known later.
	Settle(facts *policy.Facts) (policy.Decision, bool)
}

// PassingPolicy is a [Policy] that knows what it does not terminate before a client has
// said anything.
type PassingPolicy interface {
	// Passes reports whether the policy lets a session be, as far as facts known before
	// the client's first octet tell.
	Passes(facts *policy.Facts) bool
}

// DialsEarly reports whether an intake may open the origin leg of a session before the
// client has said anything: the policy passes it, and it goes to the destination that
// the client asked for, by way of no other proxy.
func (e *Engine) DialsEarly(in *Incoming) bool {
	passing, ok := e.cfg.Policy.(PassingPolicy)
	if !ok || e.cfg.Names == NamesFirst || e.cfg.Upstream != nil || e.cfg.Origin.Resolve == ResolveSNI {
		return false
	}
	d := e.newDecision(in)
	return passing.Passes(d.facts())
}

// Unreached accounts for a session that its intake ended because it cannot reach the
// destination, with the error of the dial. The client was told if told says so. The
// caller accounts for the session, which has ended.
func (e *Engine) Unreached(in *Incoming, err error, told bool) *Session {
	d := e.newDecision(in)
	d.ask(d.facts())
	a := d.account
	f := dialFailure(err)
	a.Outcome, a.Reason, a.Err, a.End = Failed, f.reason, err, time.Now()
	if told {
		a.Notice = NoticeProxy
	}
	return a
}

// DenyEarly ends a session that the policy terminates whatever its client will say,
// for intakes that can refuse a request before there is a connection to take. The
// caller accounts for the session, which has ended. Nil leaves it to [Engine.Serve].
func (e *Engine) DenyEarly(in *Incoming) *Session {
	early, ok := e.cfg.Policy.(EarlyPolicy)
	if !ok {
		return nil
	}
	d := e.newDecision(in)
	answer, settled := early.Settle(d.facts())
	if !settled || answer.Action != policy.Terminate {
		return nil
	}
	a := d.account
	a.Decision, a.Outcome, a.Reason, a.Notice = answer, Terminated, reasonPolicy, NoticeProxy
	a.End = time.Now()
	return a
}
