package appliance

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/appliance/feed/mysql"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/mirror"
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
)

// feed hands the cleartext of every session to the outlets: it translates what
// package decrypt taps into what package mirror shows.
type feed struct {
	outlets []*outlet
	keys    *keyLog        // nil: no outlet keeps secrets
	facts   *facts.Options // nil: nothing is read for the audit entry
}

// outlet is one configured mirror: its sinks, of which a session has one, and
// what is to be shown there.
type outlet struct {
	name    string
	sinks   mirror.Balance
	close   func() error
	content [4]bool // by decrypt.Content
	options mirror.Options
	ports   *http2.Ports // of streams; nil: HTTP/2 is shown as it is

	named   func(addr netip.Addr, name string) // tells the sink what an origin is called; may be nil
	secrets func(lines []byte) error           // gives the sink TLS secrets; may be nil

	shown      func(frames, octets uint64)        // counts what a session left; may be nil
	lost       func(reason string, octets uint64) // likewise
	transcoded func(audit.Transcoded)             // likewise
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
	heard := false
	for _, o := range f.outlets {
		if content == decrypt.Tunneled && !o.content[content] {
			continue // nothing of this session will ever be taken
		}
		b := &branch{outlet: o}
		for dir := range decrypt.Direction(2) {
			b.omit(dir, lostUnselected, s.Octets(dir))
		}
		b.choose(s.Decision.Treatment)
		if b.content[content] {
			b.start(s, content)
		}
		heard = heard || b.content[content] || content != decrypt.Tunneled
		st.branches = append(st.branches, b)
	}
	if !heard {
		return nil // it may be spliced; what the rule kept from a mirror is counted at its end
	}
	if f.facts != nil && content != decrypt.Tunneled {
		st.facts = facts.New(*f.facts)
	}
	return st
}

// unmirrored returns the stream of a session that had none because its rule kept
// it from every mirror that would have taken it, closed; nil for others.
func (f *feed) unmirrored(s *decrypt.Session) *stream {
	octets := s.Octets(decrypt.ClientToOrigin) + s.Octets(decrypt.OriginToClient)
	if s.Outcome != decrypt.Tunneling || octets == 0 {
		return nil
	}
	st := &stream{session: s}
	for _, o := range f.outlets {
		if !o.content[decrypt.Tunneled] {
			continue
		}
		b := &branch{outlet: o}
		for dir := range decrypt.Direction(2) {
			b.omit(dir, lostUnselected, s.Octets(dir))
		}
		b.settle()
		st.branches = append(st.branches, b)
	}
	return st
}

// stream is one session on its way to the outlets. The two directions of a
// session take turns.
type stream struct {
	session *decrypt.Session

	mu       sync.Mutex     // guards the rest
	facts    *facts.Session // nil: nothing is read for the audit entry
	branches []*branch
}

// branch is one session on its way to one outlet.
type branch struct {
	outlet       *outlet
	treatment    *policy.Treatment // that content was chosen by
	content      [4]bool           // by decrypt.Content: what the outlet takes and the rule shows
	conversation conversation      // nil until something is to be shown
	noted        decrypt.Content
	shift        *mysql.SequenceShift // nil: octets are shown as they are
	omitted      map[string][2]uint64 // octets left out of the conversation, by reason
	account      mirror.Account
}

// conversation is a [mirror.Conversation], or an [http2.Session] that makes
// several of one session.
type conversation interface {
	Data(dir mirror.Direction, p []byte)
	End(dir mirror.Direction)
	Reset(dir mirror.Direction)
	Close() mirror.Account
	Flow() mirror.Flow
}

// Data implements [decrypt.Stream].
func (st *stream) Data(dir decrypt.Direction, content decrypt.Content, p []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, b := range st.branches {
		b.data(st.session, dir, content, p)
	}
	if st.facts != nil && content != decrypt.Tunneled {
		st.facts.Data(dir, p)
	}
}

// Assemble implements [decrypt.Assembler]. What an outlet shows of octets that were
// relayed together it shows together: recorders that look at packets one by one
// want a reply to end where it did.
func (st *stream) Assemble(dir decrypt.Direction, parts []decrypt.Part, p []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, b := range st.branches {
		if b.outlet.content[decrypt.Upgrade] {
			b.data(st.session, dir, decrypt.Plain, p)
			continue
		}
		visible, rest := make([]byte, 0, len(p)), p // a dialogue has few octets
		for _, part := range parts {
			if part.Content == decrypt.Upgrade {
				b.data(st.session, dir, part.Content, rest[:part.N])
			} else {
				visible = append(visible, rest[:part.N]...)
			}
			rest = rest[part.N:]
		}
		if len(visible) > 0 {
			b.data(st.session, dir, decrypt.Plain, visible)
		}
	}
}

// choose sets what is shown as a rule wants it.
func (b *branch) choose(t *policy.Treatment) {
	b.treatment = t
	for c := range decrypt.Tunneled + 1 {
		shown := c
		if c == decrypt.Upgrade {
			shown = decrypt.Plain // part of the plain dialogue
		}
		b.content[c] = b.outlet.content[c] && t.Shows(b.outlet.name, shown.String())
	}
}

func (b *branch) data(s *decrypt.Session, dir decrypt.Direction, content decrypt.Content, p []byte) {
	if t := s.Decision.Treatment; t != b.treatment {
		b.choose(t) // another rule decides since more is known of the session
	}
	if content == decrypt.Upgrade {
		if !b.outlet.content[decrypt.Upgrade] {
			b.omit(dir, lostConcealed, uint64(len(p)))
			if s.Protocol == "mysql" {
				b.shift = new(mysql.SequenceShift) // what was left out counts in what follows
			}
			return
		}
		if !b.content[decrypt.Upgrade] {
			b.omit(dir, lostUnselected, uint64(len(p)))
			return
		}
		content = decrypt.Plain
	}
	if !b.content[content] {
		b.omit(dir, lostUnselected, uint64(len(p)))
		return
	}
	if b.conversation == nil {
		b.start(s, content)
	} else if content != b.noted {
		b.noted = content
		if c, ok := b.conversation.(*mirror.Conversation); ok {
			b.tell(s)
			c.Note(note(s, content, c.Flow()))
		}
	}
	if b.shift != nil {
		p = b.shift.Rewrite(mirror.Direction(dir), p)
	}
	b.conversation.Data(mirror.Direction(dir), p)
}

// start opens the conversation. HTTP/2 is recognised by the protocol that both
// ends agreed on or, where there is no TLS, by the client's first octets.
func (b *branch) start(s *decrypt.Session, content decrypt.Content) {
	opts := b.outlet.options
	opts.ALPN = s.ALPN
	opts.Handshake = handshake(s.Link.Handshake)
	flow := mirror.Flow{
		Client:    s.Client,
		Origin:    s.Origin,
		ClientMAC: s.Link.ClientMAC,
		OriginMAC: s.Link.OriginMAC,
		VLAN:      s.Link.VLAN,
	}
	opts.Note = note(s, content, flow.Mirrored(opts))
	b.noted = content
	b.tell(s)
	sink := b.outlet.sinks.For(flow)
	isHTTP2 := content == decrypt.Decrypted && s.ALPN == "h2" || content == decrypt.Plain && s.Protocol == "http2"
	if isHTTP2 && b.outlet.ports != nil {
		b.conversation = http2.Open(sink, flow, http2.Options{Options: opts, Ports: b.outlet.ports})
		return
	}
	b.conversation = mirror.Open(sink, flow, opts)
}

// clearPorts are those of a mirror and 443, on which inline devices, unlike
// recorders, take everything for TLS.
var clearPorts = func() mirror.PortMap {
	ports := mirror.DefaultPortMap()
	ports[443] = 80
	return ports
}()

// clearPort is the origin's port as inline devices see it by default: that of the
// protocol in clear.
func clearPort(s *decrypt.Session) uint16 { return clearPorts.Map(s.Origin.Port(), s.ALPN) }

// tell gives the sink the names under which the client asked for the origin, and
// which the origin has proven or the DNS has confirmed.
func (b *branch) tell(s *decrypt.Session) {
	if b.outlet.named == nil {
		return
	}
	for _, name := range proven(s) {
		if _, err := netip.ParseAddr(name); name != "" && err != nil {
			b.outlet.named(s.Origin.Addr(), strings.ToLower(name))
		}
	}
}

// proven returns the names that are the origin's indeed. The name of a proxy request
// was resolved by us, unless the session went elsewhere since.
func proven(s *decrypt.Session) (names []string) {
	if s.Name != "" && !s.Destination.IsValid() {
		names = append(names, s.Name)
	}
	if s.OriginTLS.Verdict == "ok" || s.Resolves() {
		names = append(names, s.SNI)
	}
	return names
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
			b.tell(st.session) // what was found meanwhile
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
	if _, t := b.streams(); t != nil && b.outlet.transcoded != nil {
		b.outlet.transcoded(*t)
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
		m.Streams, m.Transcoded = b.streams()
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

// note describes a session, which recorders see as flow, in the comment on its
// first frame.
func note(s *decrypt.Session, content decrypt.Content, flow mirror.Flow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "clearspan session=%s content=%s intake=%s rule=%s", s.ID, content, s.Intake, s.Decision.Rule)
	field := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, " %s=%s", key, value)
		}
	}
	field("community_id", audit.CommunityID(flow.Client, flow.Origin))
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
