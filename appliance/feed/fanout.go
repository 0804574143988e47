package feed

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/feed/inflate"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
)

// fanout is one session on its way to the sinks. The two directions of a session take
// turns.
type fanout struct {
	session *decrypt.Session

	mu         sync.Mutex     // guards the rest
	facts      *facts.Session // nil: nothing is read for the audit entry
	deliveries []*delivery
	heard      bool             // the origin has spoken
	mail       *inflate.Session // IMAP, which may turn to DEFLATE; nil for other sessions
	content    decrypt.Content  // of what mail is given
}

// Data implements [decrypt.Stream].
func (f *fanout) Data(dir decrypt.Direction, content decrypt.Content, p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data(dir, content, p)
}

// Assemble implements [decrypt.Assembler]. What a sink shows of octets that were
// relayed together it shows together: recorders that look at packets one by one
// need a reply to end where it did.
func (f *fanout) Assemble(dir decrypt.Direction, parts []decrypt.Part, p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listen(dir, decrypt.Plain, p)
	if f.mail != nil {
		if f.mail.Deflated() { // nothing negotiates TLS there
			f.data(dir, decrypt.Plain, p)
			return
		}
		f.mail.Data(dir, p, unseen{})
	}
	for _, d := range f.deliveries {
		if d.sink.content[decrypt.Upgrade] {
			d.data(f.session, dir, decrypt.Plain, p)
			continue
		}
		visible, rest := make([]byte, 0, len(p)), p // a dialogue has few octets
		for _, part := range parts {
			if part.Content == decrypt.Upgrade {
				d.data(f.session, dir, part.Content, rest[:part.N])
			} else {
				visible = append(visible, rest[:part.N]...)
			}
			rest = rest[part.N:]
		}
		if len(visible) > 0 {
			d.data(f.session, dir, decrypt.Plain, visible)
		}
	}
	if f.facts != nil {
		f.facts.Data(dir, p)
	}
}

// End implements [decrypt.Stream].
func (f *fanout) End(dir decrypt.Direction, how decrypt.Ending) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mail != nil {
		f.mail.End(dir, f)
	}
	for _, d := range f.deliveries {
		d.settle(f.session)
		switch {
		case d.conversation == nil:
		case how == decrypt.Reset:
			d.conversation.Reset(mirror.Direction(dir))
		default:
			d.conversation.End(mirror.Direction(dir))
		}
	}
}

// Close implements [decrypt.Stream].
func (f *fanout) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mail != nil {
		f.mail.Close()
	}
	for _, d := range f.deliveries {
		d.settle(f.session)
		if d.conversation != nil {
			d.tell(f.session) // what was found meanwhile
			d.sum = d.conversation.Close()
			d.leave()
		}
		d.account()
	}
}

// report tells what each sink got of the session, which is closed, and the
// identity under which recorders saw it. flow is nil if none saw anything.
func (f *fanout) report() (mirrors map[string]audit.Mirror, flow *audit.Flow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mirrors = make(map[string]audit.Mirror)
	for _, d := range f.deliveries {
		a := &d.sum
		m := audit.Mirror{Frames: a.Frames, Octets: a.Octets[0] + a.Octets[1]}
		for _, reason := range slices.Sorted(maps.Keys(a.Lost)) {
			m.Lost += a.Lost[reason][0] + a.Lost[reason][1]
			m.Reason = strings.TrimPrefix(m.Reason+","+reason, ",")
		}
		m.Streams, m.Transcoded = d.streams()
		mirrors[d.sink.name] = m
		if d.conversation == nil {
			continue
		}
		seen := d.conversation.Flow()
		if flow == nil {
			flow = &audit.Flow{Client: seen.Client, Origin: seen.Origin, Ports: make(map[string]uint16)}
		}
		flow.Ports[d.sink.name] = seen.Origin.Port()
	}
	return mirrors, flow
}
