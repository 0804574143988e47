package decrypt

import (
	"context"
	"crypto/tls"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Events returns what was remarkable about the session so far. Safe for
// concurrent use.
func (s *Session) Events() policy.Events { return policy.Events(s.events.Load()) }

func (s *Session) note(e policy.Event) {
	s.events.Or(uint32(policy.Events(0).With(e)))
}

// helloEvents notes what the hello tells by itself.
func (j *joint) helloEvents(hello *clienthello.Hello) {
	if hello.Name != clienthello.NameUsable {
		j.s.note(policy.NoSNI)
	}
	if hello.ECH {
		j.hides()
	}
	if policy.Differ(j.s.Name, hello.ServerName) {
		j.s.note(policy.SNIMismatch)
	}
	if !sharesCipher(hello, j.e.cfg.ClientMinVersion) {
		j.s.note(policy.NoSharedCipher)
	}
}

// sharesCipher reports whether the client offers a version and a cipher suite that
// we take.
func sharesCipher(hello *clienthello.Hello, least uint16) bool {
	if hello.MaxVersion() < least {
		return false
	}
	if slices.Contains(hello.Versions, tls.VersionTLS13) {
		return true
	}
	return slices.ContainsFunc(greenSuites, func(s uint16) bool { return slices.Contains(hello.CipherSuites, s) })
}

// refusesCiphers tells whether an origin has answered with an alert that says that
// nothing in our hello suits it.
func refusesCiphers(err error) bool {
	return answers(err, alertHandshakeFailure, alertProtocolVersion, alertInsufficientSecurity)
}

// decideAgain asks the policy with what was learned since it was asked last. It
// changes nothing by itself.
func (j *joint) decideAgain() policy.Decision {
	if j.asked == nil {
		return j.s.Decision
	}
	f := *j.asked
	f.Events = j.s.Events()
	return j.e.cfg.Policy.Decide(&f)
}

// Names is when names are looked up to note [policy.SNIUnresolved].
type Names uint8

const (
	NamesBeside Names = iota // beside the session, which waits for nothing
	NamesFirst               // before the policy is asked, since an action depends on it
	NamesNever
)

// maxLookups bounds the names that are looked up beside sessions at a time.
const maxLookups = 64

// lookUp finds whether the server name resolves to the destination. If an action
// depends on it the session waits; if it is only noted, it does not, and the
// function that is returned ends the search.
func (j *joint) lookUp(ctx context.Context) (stop func()) {
	name := j.s.SNI
	key, now := checkKey{name, j.s.Origin}, time.Now()
	switch {
	case name == "" || j.e.cfg.Names == NamesNever || j.e.cfg.Resolver == nil || j.in.Resolved || j.in.Own != nil && len(j.in.Own(name, false)) > 0:
		return nil
	case j.s.Name != "" && !policy.Differ(j.s.Name, name):
		return nil // the intake has looked it up
	case j.e.checks.known(key, now):
		j.s.Resolved()
		return nil
	case j.e.unsure.known(key, now):
		return nil
	case j.e.strays.known(key, now):
		j.s.note(policy.SNIUnresolved)
		return nil
	}
	look := func(ctx context.Context) {
		switch belongs, known := j.e.resolves(ctx, key); {
		case belongs:
			j.remember(&j.e.checks, key)
			j.s.Resolved()
		case known:
			j.remember(&j.e.strays, key)
			j.s.note(policy.SNIUnresolved)
		case ctx.Err() == nil: // nor need it be asked again and again
			j.remember(&j.e.unsure, key)
		}
	}
	if j.e.cfg.Names == NamesFirst {
		look(ctx)
		return nil
	}
	select {
	case j.e.lookups <- struct{}{}:
	default:
		return nil // too many at once: nobody waits for them
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := Contain(func() error { look(ctx); return nil }); err != nil {
			j.e.log.Error("look-up panicked", "err", err, "stack", string(err.(*Panic).Stack))
		}
		<-j.e.lookups
	}()
	return func() {
		cancel()
		<-done
	}
}

// insideLimit is how much of a request is kept to find its host, in octets.
const insideLimit = 16 << 10

// inside looks for the host of the first request in a bumped session of HTTP.
// Only the client's direction touches it while the session is relayed.
type inside struct {
	head     []byte
	over     bool             // nothing is looked for any more
	overrule *policy.Decision // by which the session is to end, nil for none
}

// look takes a look at what the client says inside. It borrows p, which comes next, and returns an error if the session is to end.
func (j *joint) look(p []byte) error {
	w := j.inside
	if w.over {
		return nil
	}
	w.head = append(w.head, p[:min(len(p), insideLimit-len(w.head))]...)
	proto, more := sniff.Client(w.head)
	if more && len(w.head) < insideLimit {
		return nil
	}
	var host string
	ok := false
	switch proto {
	case sniff.HTTP:
		host, ok, more = sniff.Host(w.head)
	case sniff.HTTP2:
		host, ok, more = sniff.Authority(w.head)
	}
	if more && len(w.head) < insideLimit {
		return nil
	}
	w.head, w.over = nil, true
	if !ok || !policy.Differ(j.s.SNI, host) {
		return nil
	}
	j.s.note(policy.SNIMismatch)
	if d := j.decideAgain(); d.Action == policy.Terminate {
		w.overrule = &d
		return fail(reasonMismatch, nil, 0)
	}
	return nil
}

// overruled notes that what was found inside has ended the session, when its relay
// is over, and returns err.
func (j *joint) overruled(err error) error {
	if j.inside != nil && j.inside.overrule != nil {
		j.s.Decision, j.s.Outcome = *j.inside.overrule, Terminated
	}
	return err
}
