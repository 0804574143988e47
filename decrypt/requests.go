package decrypt

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/request"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// RequestPolicy is a [Policy] that knows what of the requests within a session can change
// its decision. Any other is asked about every host.
type RequestPolicy interface {
	// Requests returns it for the facts that [Policy] was asked about last.
	Requests(facts *policy.Facts) policy.Need
}

// requests judges the requests within a session. It implements [relay.Inspector] and
// [request.Judge]: the former for both directions, the latter for that of the client.
type requests struct {
	*session
	inspector *request.Inspector
	need      policy.Need
	facts     policy.Facts   // of the session, then of the request
	request   policy.Request // of the request
	events    policy.Events  // of the session
	own       string         // name that the session is for; "" if it has none
	given     string         // host that the policy was asked with

	asked   bool // what follows is known
	host    []byte
	doubt   bool
	target  []byte // method and path, where the policy needs them
	verdict request.Verdict

	decision policy.Decision // on the request that was refused last
	broken   bool            // that request could not be read
	timer    *time.Timer     // releases octets that do not tell a protocol; nil: it does not run
}

// needs tells what of the requests within the session the policy needs.
func (s *session) needs() policy.Need {
	if p, ok := s.engine.cfg.Policy.(RequestPolicy); ok {
		return p.Requests(s.asked)
	}
	return policy.NeedsHost
}

// judges reports whether the policy can have something against requests of a session that
// is not encrypted.
func (s *session) judges() bool {
	return s.asked != nil && s.data == nil && !s.account.Decision.Monitored && s.needs() != policy.NeedsNothing
}

// inspect has the requests within the session judged, as far as the policy can have
// something against one. begun are octets that the client has sent already, and that went
// on.
func (s *session) inspect(begun []byte) {
	if s.inspection != nil || s.asked == nil || s.opening == opensData || s.opening == opensSecured {
		return
	}
	need := s.needs()
	tls := s.content == Decrypted && s.account.SNI != ""
	if need == policy.NeedsNothing && !tls || s.account.Decision.Monitored {
		return
	}
	q := &requests{session: s, need: need, facts: *s.asked, events: s.account.Events(), given: s.asked.Host, own: s.asked.Host}
	if tls {
		q.own = s.account.SNI
	}
	q.facts.Request = &q.request
	q.inspector = request.New(q, need == policy.NeedsNothing)
	if len(begun) > 0 {
		q.inspector.Begun(begun)
	}
	s.inspection, s.legs.Inspector = q, q
}

// Inspect implements [relay.Inspector].
func (q *requests) Inspect(dir Direction, p []byte) (pass []byte, last bool, err error) {
	pass, signals, err := q.inspector.Inspect(dir, p)
	if signals&^request.Last != 0 {
		q.signal(signals)
	}
	switch {
	case err == nil:
	case errors.Is(err, request.ErrRefused):
		q.overrule = &q.decision
		err = fail(q.reason(), nil, 0)
	default:
		err = fail(reasonRequests, err, 0)
	}
	return pass, signals&request.Last != 0, err
}

// signal wakes who has something to do.
func (q *requests) signal(signals request.Signals) {
	if signals&request.Due != 0 && len(q.services) == 0 {
		q.origin.Poke()
	}
	if signals&request.Resumes != 0 {
		q.client.Poke()
	}
	if signals&request.Undecided != 0 && q.timer == nil {
		q.timer = time.AfterFunc(q.engine.sniffTimeout(), func() {
			q.inspector.Release()
			q.client.Poke()
		})
	}
}

// Due implements [relay.Inspector].
func (q *requests) Due() bool { return q.inspector.Due() }

// End implements [relay.Inspector].
func (q *requests) End() []byte { return q.inspector.End() }

// stop ends what is under way beside the relay.
func (q *requests) stop() {
	if q != nil && q.timer != nil {
		q.timer.Stop()
	}
}

// Judge implements [request.Judge].
func (q *requests) Judge(r *request.Request) request.Verdict {
	if q.asked && !r.Broken && q.verdict == request.Pass && q.same(r) {
		return request.Pass
	}
	q.asked, q.doubt, q.host = true, r.Doubt, append(q.host[:0], r.Host...)
	if q.need >= policy.NeedsRequest {
		q.target = append(append(append(q.target[:0], r.Method...), ' '), r.Path...)
	}
	q.verdict = q.judge(r)
	return q.verdict
}

// same reports whether a request is like the one that the policy was asked about last, in
// what it needs.
func (q *requests) same(r *request.Request) bool {
	if q.doubt != r.Doubt || !bytes.Equal(q.host, r.Host) {
		return false
	}
	n := len(r.Method)
	return q.need < policy.NeedsRequest ||
		len(q.target) == n+1+len(r.Path) && bytes.Equal(q.target[:n], r.Method) && bytes.Equal(q.target[n+1:], r.Path)
}

// judge asks the policy about a request.
func (q *requests) judge(r *request.Request) request.Verdict {
	if r.Broken {
		q.decision = q.account.Decision
		q.decision.Action = policy.Terminate
		q.broken = true
		q.note(r, request.Forbidden)
		return request.Forbidden
	}
	other := len(r.Host) > 0 && !sameHost(q.own, r.Host)
	host := q.given
	if other {
		host = q.known(r.Host)
	}
	q.facts.Host, q.facts.HostDoubt, q.facts.Events = host, r.Doubt, q.events
	if q.content == Decrypted && q.account.SNI != "" && (r.Doubt || other && policy.Differ(q.own, host)) {
		q.account.note(policy.SNIMismatch)
		q.facts.Events = q.events.With(policy.SNIMismatch)
	}
	if q.need == policy.NeedsNothing || q.need == policy.NeedsHost && !other && !r.Doubt {
		return request.Pass
	}
	q.request.Host, q.request.Method = host, method(r.Method)
	if !other && q.own != "" {
		q.request.Host = q.own
	}
	q.request.SetTarget(r.Path)
	d := q.engine.cfg.Policy.Decide(&q.facts)
	verdict := q.compare(&d, other || r.Doubt)
	if verdict != request.Pass {
		q.decision = d
		q.note(r, verdict)
	}
	return verdict
}

// note accounts for a request that is refused.
func (q *requests) note(r *request.Request, v request.Verdict) {
	path := q.request.Path()
	if r.Broken {
		path = nil
	}
	q.account.refused(Refused{
		Host: string(r.Host), Method: method(r.Method), Path: string(path[:min(len(path), maxWord)]),
		Rule: q.decision.Rule, Action: q.decision.Action, Status: v.Status(),
	})
}

// compare tells what follows for a request by d. What was begun in one way cannot go on in
// another: the client comes again.
func (q *requests) compare(d *policy.Decision, other bool) request.Verdict {
	bumped := q.account.Decision.Action == policy.Bump
	switch {
	case d.Monitored:
	case d.Action == policy.Terminate && other && q.content == Decrypted:
		return request.Misdirected
	case d.Action == policy.Terminate:
		return request.Forbidden
	case !other:
	case (d.Action == policy.Bump) != bumped, bumped && !sameTreatment(d.Treatment, q.account.Decision.Treatment):
		return request.Misdirected
	}
	return request.Pass
}

// sameTreatment reports whether two sessions are shown, served and sent on alike.
func sameTreatment(a, b *policy.Treatment) bool {
	if a == b {
		return true
	}
	var none policy.Treatment
	if a == nil {
		a = &none
	}
	if b == nil {
		b = &none
	}
	return a.Mirrors.String() == b.Mirrors.String() && slices.Equal(a.Content, b.Content) && slices.Equal(a.Services, b.Services) && a.Upstream == b.Upstream
}

// known returns a host as a string, without memory for the one that came last.
func (q *requests) known(host []byte) string {
	if q.facts.Host == string(host) {
		return q.facts.Host
	}
	return string(host)
}

// sameHost compares names regardless of letter case and a trailing dot.
func sameHost(name string, host []byte) bool {
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if len(name) != len(host) {
		return false
	}
	for i := range len(name) {
		a, b := name[i], host[i]
		if a != b && (a|0x20 != b|0x20 || a|0x20 < 'a' || a|0x20 > 'z') {
			return false
		}
	}
	return true
}

// method returns the name of a method, without memory for those of RFC 9110.
func method(p []byte) string {
	switch string(p) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "OPTIONS":
		return "OPTIONS"
	case "PATCH":
		return "PATCH"
	case "CONNECT":
		return "CONNECT"
	}
	return string(p[:min(len(p), maxWord)])
}

// reason is why the session ends by the refusal of a request.
func (q *requests) reason() string {
	if q.broken {
		return reasonRequests
	}
	if q.decision.Rule == "event:"+policy.SNIMismatch.String() {
		return reasonMismatch
	}
	return reasonPolicy
}

// tell notes the protocol of a plain session whose client was too slow to tell it, and the
// host that it asked for last.
func (q *requests) tell() {
	if q == nil || !q.asked || q.content == Decrypted || q.account.Protocol != "" {
		return
	}
	q.account.Protocol = sniff.HTTP.String()
	if q.inspector.HTTP2() {
		q.account.Protocol = sniff.HTTP2.String()
	}
	if q.account.Host == "" && !q.doubt {
		q.account.Host = string(q.host)
	}
}

// heed notes what ends the session before its ends do.
func (s *session) heed() {
	s.inspection.stop()
	s.inspection.tell()
	if s.overrule == nil {
		return
	}
	s.account.Decision = *s.overrule
	if s.inspection != nil && s.overrule == &s.inspection.decision {
		s.account.Reason = s.inspection.reason()
	}
}

// ignore has nothing inspected any more.
func (s *session) ignore() {
	s.inspection.stop()
	s.inspection, s.legs.Inspector = nil, nil
}
