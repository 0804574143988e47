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

// helloEvents notes what is remarkable about the hello by itself.
func (d *decision) helloEvents() {
	if d.hello.Name != clienthello.NameUsable {
		d.account.note(policy.NoSNI)
	}
	if d.hello.ECH {
		d.hides()
	}
	if policy.Differ(d.account.Name, d.hello.ServerName) {
		d.account.note(policy.SNIMismatch)
	}
	if !sharesCipher(d.hello, d.engine.cfg.ClientMinVersion) {
		d.account.note(policy.NoSharedCipher)
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
func (d *decision) lookUp(ctx context.Context) (stop func()) {
	name := d.account.SNI
	key, now := checkKey{name, d.account.Origin}, time.Now()
	switch {
	case name == "" || d.engine.cfg.Names == NamesNever || d.engine.cfg.Resolver == nil || d.in.Resolved || d.in.Own != nil && len(d.in.Own(name, false)) > 0:
		return nil
	case d.account.Name != "" && !policy.Differ(d.account.Name, name):
		return nil // the intake has looked it up
	case d.engine.checks.known(key, now):
		d.account.Resolved()
		return nil
	case d.engine.unsure.known(key, now):
		return nil
	case d.engine.strays.known(key, now):
		d.account.note(policy.SNIUnresolved)
		return nil
	}
	look := func(ctx context.Context) {
		switch belongs, known := d.engine.resolves(ctx, key); {
		case belongs:
			d.remember(&d.engine.checks, key)
			d.account.Resolved()
		case known:
			d.remember(&d.engine.strays, key)
			d.account.note(policy.SNIUnresolved)
		case ctx.Err() == nil: // nor need it be asked again and again
			d.remember(&d.engine.unsure, key)
		}
	}
	if d.engine.cfg.Names == NamesFirst {
		look(ctx)
		return nil
	}
	select {
	case d.engine.lookups <- struct{}{}:
	default:
		return nil // too many at once: nobody waits for them
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := Contain(func() error { look(ctx); return nil }); err != nil {
			d.engine.log.Error("look-up panicked", "err", err, "stack", string(err.(*Panic).Stack))
		}
		<-d.engine.lookups
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
func (s *session) look(p []byte) error {
	w := s.inside
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
	if !ok || !policy.Differ(s.account.SNI, host) {
		return nil
	}
	s.account.note(policy.SNIMismatch)
	if d := s.askAgain(); d.Action == policy.Terminate {
		w.overrule = &d
		return fail(reasonMismatch, nil, 0)
	}
	return nil
}

// overruled notes that what was found inside has ended the session, when its relay
// is over, and returns err.
func (s *session) overruled(err error) error {
	if s.inside != nil && s.inside.overrule != nil {
		s.account.Decision, s.account.Outcome = *s.inside.overrule, Terminated
	}
	return err
}
