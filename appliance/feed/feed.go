// Package feed hands the cleartext of sessions to mirrors: it translates what package
// decrypt taps into what package mirror shows. It is the one place that knows both.
//
// A [Feed] holds one sink for each configured mirror. A session has one fan-out, and in
// it one delivery for each sink. A delivery has its own conversation, content and
// account, so that a sink that stalls or fails affects no other.
package feed

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Reasons under which the feed itself leaves octets out of a conversation.
const (
	// The octets negotiated STARTTLS, and the mirror has `starttls: conceal`.
	// Cause: The mirror leaves the dialogue out, by configuration.
	// Do: Nothing, or set `starttls: keep`.
	lostConcealed = "concealed"
	// The mirror does not take this class of content, or the rule names other mirrors.
	// Cause: The keys `content` and `mirror` say so.
	// Do: Nothing, or change these keys.
	lostUnselected = "unselected"
	// The ends of an IMAP session deflated the octets (COMPRESS), and they cannot be inflated.
	// Cause: They are broken, or few octets would become very many.
	// Do: Look at what the client does. Switch COMPRESS off on the server.
	lostDeflated = "deflated"
)

// Feed hands the cleartext of every session to the sinks. Safe for concurrent use.
type Feed struct {
	sinks []*sink
	keys  *keyLog        // nil: no sink keeps secrets
	facts *facts.Options // nil: nothing is read for the audit entry

	yielding sync.WaitGroup // of sinks that yield
}

// Open implements [decrypt.Tap].
func (f *Feed) Open(s *decrypt.Session) decrypt.Stream {
	to := &fanout{session: s}
	content := decrypt.Decrypted
	switch s.Outcome {
	case decrypt.Passed:
		content = decrypt.Plain
	case decrypt.Tunneling:
		content = decrypt.Tunneled
	}
	shown := false
	for _, k := range f.sinks {
		if content == decrypt.Tunneled && !k.content[content] {
			continue // nothing of this session will ever be taken
		}
		d := deliver(s, k)
		d.choose(s.Decision.Treatment)
		if d.content[content] {
			d.await(s, content)
		}
		shown = shown || d.content[content] || content != decrypt.Tunneled
		to.deliveries = append(to.deliveries, d)
	}
	if f.facts != nil && content != decrypt.Tunneled {
		to.facts = facts.New(*f.facts) // also without any mirror
	}
	switch {
	case shown || to.facts != nil:
		return to
	case len(to.deliveries) > 0:
		return &blind{to} // it may be spliced, and what the rule keeps from mirrors counts
	}
	return nil
}

// Report is what is known of a session that has ended: what mirrors got of it, and what
// was read in it.
type Report struct {
	Mirrors map[string]audit.Mirror // by name of the mirror
	Flow    *audit.Flow             // the identity under which recorders saw it; nil: none saw anything
	Facts   facts.Report
}

// Report accounts for a session. t is what Open returned for it, closed, or nil.
func (f *Feed) Report(s *decrypt.Session, t decrypt.Stream) (r Report) {
	to := fanoutOf(t)
	if to == nil {
		if to = f.unmirrored(s); to == nil {
			return r
		}
	}
	r.Mirrors, r.Flow = to.report()
	if to.facts != nil {
		r.Facts = to.facts.Close()
	}
	return r
}

// unmirrored returns the fan-out of a tunnel that ended before a mirror was asked, closed;
// nil for others.
func (f *Feed) unmirrored(s *decrypt.Session) *fanout {
	octets := s.Octets(decrypt.ClientToOrigin) + s.Octets(decrypt.OriginToClient)
	if s.Outcome != decrypt.Tunneling || octets == 0 {
		return nil
	}
	to := &fanout{session: s}
	for _, k := range f.sinks {
		if !k.content[decrypt.Tunneled] {
			continue
		}
		d := deliver(s, k)
		d.account()
		to.deliveries = append(to.deliveries, d)
	}
	return to
}

// KeyLog returns where the TLS secrets of a session go; nil if no mirror keeps secrets.
// It suits [decrypt.Config].
func (f *Feed) KeyLog() func(*decrypt.Session) io.Writer {
	if f.keys == nil {
		return nil
	}
	return f.keys.writer
}

// Holds returns an error if a rule chooses a mirror that is not open: after a reload
// sessions would be kept from all others and shown nowhere.
func (f *Feed) Holds(p config.Policy) error {
	missing := func(m *policy.Mirrors) string {
		if m == nil {
			return ""
		}
		for _, name := range m.Names {
			if !slices.ContainsFunc(f.sinks, func(k *sink) bool { return k.name == name }) {
				return name
			}
		}
		return ""
	}
	if name := missing(p.Treatment.Mirrors); name != "" {
		return fmt.Errorf("policy: mirror %s needs a restart", name)
	}
	for _, r := range p.Rules {
		if name := missing(r.Treatment.Mirrors); name != "" {
			return fmt.Errorf("rule %s: mirror %s needs a restart", r.Name, name)
		}
	}
	return nil
}

// Yield leaves the readers of live feeds to another process, and what they are to see of
// this one.
func (f *Feed) Yield() {
	for _, k := range f.sinks {
		if k.yield != nil {
			f.yielding.Go(k.yield)
		}
	}
}

// Close flushes and closes the sinks. No session may be open.
func (f *Feed) Close() error {
	var errs []error
	for _, k := range f.sinks {
		errs = append(errs, k.close())
	}
	if f.keys != nil {
		errs = append(errs, f.keys.close())
	}
	f.yielding.Wait()
	return errors.Join(errs...)
}
