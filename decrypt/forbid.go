package decrypt

import (
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Settler is a [Policy] that knows which decisions stand before a client has said
// anything.
type Settler interface {
	// Settle returns the decision on facts known before the client's first octet,
	// and whether it stands whatever becomes known later.
	Settle(facts *policy.Facts) (policy.Decision, bool)
}

// Forbid ends a session that the policy terminates whatever its client will say,
// for intakes that can refuse a request before there is a connection to take. The
// caller accounts for it, which has ended; nil leaves it to [Engine.Serve].
func (e *Engine) Forbid(in *Incoming) *Session {
	settler, ok := e.cfg.Policy.(Settler)
	if !ok {
		return nil
	}
	j := &joint{e: e, s: newSession(in), in: in}
	decision, settled := settler.Settle(j.facts())
	if !settled || decision.Action != policy.Terminate {
		return nil
	}
	s := j.s
	s.Decision, s.Outcome, s.Reason, s.Notice = decision, Terminated, reasonPolicy, NoticeProxy
	s.End = time.Now()
	return s
}
