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
