package appliance

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
)

// Reasons under which the feed itself leaves octets out of a conversation.
const (
	lostConcealed  = "concealed"  // negotiated STARTTLS, which would mislead recorders
	lostUnselected = "unselected" // of a content class that the outlet does not take
)

// feed hands the cleartext of every session to the outlets: it translates what
// package decrypt taps into what package mirror shows.
type feed struct {
	outlets []*outlet
}

// outlet is one configured mirror: a sink, and what is to be shown there.
type outlet struct {
	name    string
	sink    mirror.Sink
	close   func() error
	content [4]bool // by decrypt.Content
	options mirror.Options

	shown func(frames, octets uint64)        // counts what a session left; may be nil
	lost  func(reason string, octets uint64) // likewise
}

// Open implements [decrypt.Tap].
func (f *feed) Open(s *decrypt.Session) decrypt.Stream {
	st := &stream{session: s}
	content := decrypt.Decrypted
	switch s.Outcome {
	case decrypt.Passed:
		content = decrypt.Plain
	case decrypt.Tunneling:
		content = decrypt.Tunneled
	}
	for _, o := range f.outlets {
		if content == decrypt.Tunneled && !o.content[content] {
			continue // nothing of this session will ever be taken: it may be spliced
		}
		b := &branch{outlet: o}
		for dir := range decrypt.Direction(2) {
			b.omit(dir, lostUnselected, s.Octets(dir))
		}
		if o.content[content] {
			b.start(s, content)
		}
		st.branches = append(st.branches, b)
	}
	if len(st.branches) == 0 {
		return nil
	}
	return st
}

// stream is one session on its way to the outlets. The two directions of a
// session take turns.
type stream struct {
	session *decrypt.Session

	mu       sync.Mutex
	branches []*branch
}

// branch is one session on its way to one outlet.
type branch struct {
	outlet       *outlet
	conversation *mirror.Conversation // nil until something is to be shown
	noted        decrypt.Content
	omitted      map[string][2]uint64 // octets left out of the conversation, by reason
	account      mirror.Account
}

// Data implements [decrypt.Stream].
func (st *stream) Data(dir decrypt.Direction, content decrypt.Content, p []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, b := range st.branches {
		b.data(st.session, dir, content, p)
	}
}

func (b *branch) data(s *decrypt.Session, dir decrypt.Direction, content decrypt.Content, p []byte) {
	if content == decrypt.Upgrade {
		if !b.outlet.content[decrypt.Upgrade] {
			b.omit(dir, lostConcealed, uint64(len(p)))
			return
		}
		content = decrypt.Plain
	}
	if !b.outlet.content[content] {
		b.omit(dir, lostUnselected, uint64(len(p)))
		return
	}
	if b.conversation == nil {
		b.start(s, content)
	} else if content != b.noted {
		b.noted = content
		b.conversation.Note(note(s, content))
	}
	b.conversation.Data(mirror.Direction(dir), p)
}

// start opens the conversation.
func (b *branch) start(s *decrypt.Session, content decrypt.Content) {
	opts := b.outlet.options
	opts.ALPN = s.ALPN
	opts.Note = note(s, content)
	opts.Handshake = handshake(s.Link.Handshake)
	b.noted = content
	b.conversation = mirror.Open(b.outlet.sink, mirror.Flow{
		Client:    s.Client,
		Origin:    s.Origin,
		ClientMAC: s.Link.ClientMAC,
		OriginMAC: s.Link.OriginMAC,
		VLAN:      s.Link.VLAN,
	}, opts)
}

// handshake translates what an intake saw of client and origin themselves.
func handshake(h *decrypt.Handshake) *mirror.Handshake {
	if h == nil {
		return nil
	}
	return &mirror.Handshake{Client: mirror.HandshakeSide(h.Client), Origin: mirror.HandshakeSide(h.Origin)}
}

func (b *branch) omit(dir decrypt.Direction, reason string, octets uint64) {
	if octets == 0 {
		return
	}
	if b.omitted == nil {
		b.omitted = make(map[string][2]uint64)
	}
	n := b.omitted[reason]
	n[dir] += octets
	b.omitted[reason] = n
}

// End implements [decrypt.Stream].
func (st *stream) End(dir decrypt.Direction, how decrypt.Ending) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, b := range st.branches {
		switch {
		case b.conversation == nil:
		case how == decrypt.Reset:
			b.conversation.Reset(mirror.Direction(dir))
		default:
			b.conversation.End(mirror.Direction(dir))
		}
	}
}

// Close implements [decrypt.Stream].
func (st *stream) Close() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, b := range st.branches {
		if b.conversation != nil {
			b.account = b.conversation.Close()
		}
		b.settle()
	}
}

// settle joins what was omitted to the account and passes it to the metrics.
func (b *branch) settle() {
	for reason, n := range b.omitted {
		if b.account.Lost == nil {
			b.account.Lost = make(map[string][2]uint64)
		}
		sum := b.account.Lost[reason]
		b.account.Lost[reason] = [2]uint64{sum[0] + n[0], sum[1] + n[1]}
	}
	b.omitted = nil
	if b.outlet.shown != nil {
		b.outlet.shown(b.account.Frames, b.account.Octets[0]+b.account.Octets[1])
	}
	if b.outlet.lost != nil {
		for reason, n := range b.account.Lost {
			b.outlet.lost(reason, n[0]+n[1])
		}
	}
}

// report tells what each outlet got of the session, which is closed, and the
// identity under which recorders saw it. flow is nil if none saw anything.
func (st *stream) report() (mirrors map[string]audit.Mirror, flow *audit.Flow) {
	st.mu.Lock()
	defer st.mu.Unlock()
	mirrors = make(map[string]audit.Mirror)
	for _, b := range st.branches {
		a := &b.account
		m := audit.Mirror{Frames: a.Frames, Octets: a.Octets[0] + a.Octets[1]}
		for _, reason := range slices.Sorted(maps.Keys(a.Lost)) {
			m.Lost += a.Lost[reason][0] + a.Lost[reason][1]
			m.Reason = strings.TrimPrefix(m.Reason+","+reason, ",")
		}
		mirrors[b.outlet.name] = m
		if b.conversation == nil {
			continue
		}
		seen := b.conversation.Flow()
		if flow == nil {
			flow = &audit.Flow{Client: seen.Client, Origin: seen.Origin, Ports: make(map[string]uint16)}
		}
		flow.Ports[b.outlet.name] = seen.Origin.Port()
	}
	return mirrors, flow
}

// note describes a session in the comment on its first frame.
func note(s *decrypt.Session, content decrypt.Content) string {
	var b strings.Builder
	fmt.Fprintf(&b, "clearspan session=%s content=%s intake=%s rule=%s", s.ID, content, s.Intake, s.Decision.Rule)
	field := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", key, value)
		}
	}
	field("name", s.Name)
	field("sni", s.SNI)
	field("alpn", s.ALPN)
	field("tls_client", versionName(s.ClientTLS.Version))
	field("tls_origin", versionName(s.OriginTLS.Version))
	field("ja4", s.ClientTLS.JA4)
	field("verdict", s.OriginTLS.Verdict)
	field("revocation", s.OriginTLS.Revocation)
	field("chain_sha256", s.OriginTLS.ChainSHA256)
	return b.String()
}

func versionName(v uint16) string {
	if v == 0 {
		return ""
	}
	return strings.TrimPrefix(tls.VersionName(v), "TLS ")
}
