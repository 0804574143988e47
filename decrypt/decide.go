package decrypt

import (
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// decision is how the policy is asked about one session, and what it has said last.
// It knows no transport: running sessions, previews, early denials and QUIC flows
// decide by it. It is for one goroutine at a time.
type decision struct {
	engine  *Engine
	in      *Incoming
	account *Session           // what is known of the session; the answer is noted in it
	data    *announcedConn     // the session is this data connection of FTP; nil: it is not
	hello   *clienthello.Hello // nil until it was read
	hidden  echKey             // of a hello that hides another, or pretends to
	doubt   bool               // servers may take the request of a plain session for different hosts
	asked   *policy.Facts      // what the policy was last asked; nil: nothing
}

// newDecision returns the decision on a session that an intake hands over. Nothing is
// asked yet.
func (e *Engine) newDecision(in *Incoming) decision {
	return decision{engine: e, in: in, account: newSession(in)}
}

// meet notes what the hello tells.
func (d *decision) meet(hello *clienthello.Hello) {
	d.hello = hello
	d.account.SNI = hello.ServerName
	d.account.ClientTLS.JA4 = hello.JA4()
	d.helloEvents()
}

// facts gathers what the policy may ask for.
func (d *decision) facts() *policy.Facts {
	a := d.account
	host := a.Name
	if a.Host != "" {
		host = a.Host
	}
	f := &policy.Facts{
		Intake:    a.Intake,
		Client:    a.Client,
		Origin:    a.Origin,
		Protocol:  a.Protocol,
		Host:      host,
		HostDoubt: d.doubt,
		SNI:       a.SNI,
		Time:      time.Now(),
		Events:    a.Events(),
	}
	if d.hello != nil {
		f.TLS, f.ALPN, f.JA4 = true, d.hello.ALPN, a.ClientTLS.JA4
	}
	return f
}

// ask asks the policy with these facts and notes its answer. A data connection that no
// rule is for gets the answer of its control session. What was learned may have a
// session tunneled that the policy would bump, and changes no other answer.
func (d *decision) ask(f *policy.Facts) policy.Action {
	start := time.Now()
	answer := d.engine.cfg.Policy.Decide(f)
	d.account.spend(StepDecision, start)
	if d.data != nil && answer.Rule == policy.Default {
		answer = d.data.decision
	} else if would := answer.Would; f.TLS && !answer.Pending { // it is asked again
		action := &answer.Action
		if answer.Monitored {
			action = &would
		}
		if *action == policy.Bump {
			if learned := d.engine.cfg.Learner.Recall(f, answer.Treatment); learned != "" {
				*action, answer.Learned = policy.Tunnel, string(learned)
			}
		}
		answer.Would = would
	}
	d.account.Decision, d.asked = answer, f
	return answer.Action
}

// askAgain asks the policy with the events since it was asked last. It changes
// nothing by itself.
func (d *decision) askAgain() policy.Decision {
	if d.asked == nil {
		return d.account.Decision
	}
	f := *d.asked
	f.Events = d.account.Events()
	return d.engine.cfg.Policy.Decide(&f)
}

// serverName is the name the origin is asked for, "" if none is known.
func (d *decision) serverName() string {
	if d.account.SNI != "" {
		return d.account.SNI
	}
	return d.in.SNI
}

// identity is what the origin's certificate must be valid for.
func (d *decision) identity() string {
	if name := d.serverName(); name != "" {
		return name
	}
	if d.data != nil {
		return d.data.name
	}
	if l := d.account.Late; l != nil && l.Connect != "" {
		return l.Connect
	}
	if d.account.Name != "" {
		return d.account.Name
	}
	return d.account.Origin.Addr().Unmap().WithZone("").String()
}
