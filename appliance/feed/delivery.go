package feed

import (
	"net/netip"
	"strings"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/appliance/feed/mysql"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/mirror"
)

// delivery is one session on its way to one sink. Its fan-out guards it.
type delivery struct {
	sink         *sink
	session      *decrypt.Session
	treatment    *policy.Treatment // that content was chosen by
	content      [4]bool           // by decrypt.Content: what the sink takes and the rule shows
	conversation conversation      // nil until something is to be shown, and how
	due          bool              // there will be a conversation, whatever comes
	opening      opening           // octets that come before it
	flow         mirror.Flow       // of the conversation
	substitute   bool              // the flow has a client port that is to be given back
	noted        decrypt.Content
	shift        *mysql.SequenceShift // nil: octets are shown as they are
	omitted      map[string][2]uint64 // octets left out of the conversation, by reason
	sum          mirror.Account       // complete when the session has ended
	transcoded   audit.Transcoded     // what was counted of it
	tally        tally                // of what any goroutine may read
}

// conversation is a [mirror.Conversation], an [http2.Session] that makes several of one
// session, or an [engine.Conversation] that makes none.
type conversation interface {
	Data(dir mirror.Direction, p []byte)
	End(dir mirror.Direction)
	Reset(dir mirror.Direction)
	Close() mirror.Account
	Flow() mirror.Flow
}

// deliver begins the delivery of s to a sink. What was relayed before is omitted.
func deliver(s *decrypt.Session, to *sink) *delivery {
	d := &delivery{sink: to, session: s}
	for dir := range decrypt.Direction(2) {
		d.omit(dir, lostUnselected, s.Octets(dir))
	}
	return d
}

// choose sets what is shown as a rule wants it.
func (d *delivery) choose(t *policy.Treatment) {
	d.treatment = t
	for c := range decrypt.Tunneled + 1 {
		shown := c
		if c == decrypt.Upgrade {
			shown = decrypt.Plain // part of the plain dialogue
		}
		d.content[c] = d.sink.content[c] && t.Shows(d.sink.name, shown.String())
	}
}

func (d *delivery) data(s *decrypt.Session, dir decrypt.Direction, content decrypt.Content, p []byte) {
	if t := s.Decision.Treatment; t != d.treatment {
		d.choose(t) // another rule decides since more is known of the session
	}
	if content == decrypt.Upgrade {
		if !d.sink.content[decrypt.Upgrade] {
			d.omit(dir, lostConcealed, uint64(len(p)))
			if s.Protocol == "mysql" {
				d.shift = new(mysql.SequenceShift) // what was left out counts in what follows
			}
			return
		}
		if !d.content[decrypt.Upgrade] {
			d.omit(dir, lostUnselected, uint64(len(p)))
			return
		}
		content = decrypt.Plain
	}
	if !d.content[content] {
		d.omit(dir, lostUnselected, uint64(len(p)))
		return
	}
	if d.conversation == nil {
		d.begin(s, dir, content, p)
		return
	}
	d.show(s, dir, content, p)
}

// await prepares for a session that is shown from its beginning. If its protocol is
// known, the conversation opens at once, else with the first octets that tell it.
func (d *delivery) await(s *decrypt.Session, content decrypt.Content) {
	d.due, d.noted = true, content
	if protocol := protocolOf(s, content); d.sink.ready(protocol) {
		d.start(s, content, protocol)
	}
}

// begin takes octets before the conversation is open, and opens it if they tell the
// protocol or never will.
func (d *delivery) begin(s *decrypt.Session, dir decrypt.Direction, content decrypt.Content, p []byte) {
	d.due, d.noted = true, content
	if protocol := protocolOf(s, content); d.sink.ready(protocol) && len(d.opening.pieces) == 0 {
		d.start(s, content, protocol)
		d.show(s, dir, content, p)
		return
	}
	protocol, more := d.opening.hold(dir, content, p)
	if protocol == "" && more {
		return
	}
	d.start(s, d.opening.pieces[0].content, protocol)
	d.release(s)
}

// settle opens the conversation of a session that tells no more.
func (d *delivery) settle(s *decrypt.Session) {
	if d.conversation != nil || !d.due {
		return
	}
	d.start(s, d.noted, "")
	d.release(s)
}

func (d *delivery) release(s *decrypt.Session) {
	d.opening.release(func(dir decrypt.Direction, content decrypt.Content, p []byte) { d.show(s, dir, content, p) })
}

// show shows octets in the conversation, which is open.
func (d *delivery) show(s *decrypt.Session, dir decrypt.Direction, content decrypt.Content, p []byte) {
	if content != d.noted {
		d.noted = content
		if c, ok := d.conversation.(interface{ Note(string) }); ok {
			d.tell(s)
			c.Note(note(s, content, d.flow))
		}
	}
	if d.shift != nil {
		p = d.shift.Rewrite(mirror.Direction(dir), p)
	}
	d.conversation.Data(mirror.Direction(dir), p)
	d.countStreams()
}

// start opens the conversation of a session that speaks a protocol, in the words of
// [mirror.PortMap].
func (d *delivery) start(s *decrypt.Session, content decrypt.Content, protocol string) {
	opts := d.sink.options
	opts.Protocol = protocol
	opts.Handshake = handshake(s.Link.Handshake)
	opts.Lost, opts.Delivered = func(_ mirror.Direction, n uint64, reason string) { d.lost(reason, n) }, d.delivered
	flow := mirror.Flow{
		Client:    s.Client,
		Origin:    s.Origin,
		ClientMAC: s.Link.ClientMAC,
		OriginMAC: s.Link.OriginMAC,
		VLAN:      s.Link.VLAN,
	}
	if d.sink.engine != nil {
		d.flow, d.noted = flow, content
		opts.Note = note(s, content, flow)
		d.conversation = d.sink.engine.Begin(s.ID, s.Start, flow, opts)
		return
	}
	transcode := protocol == "h2" && d.sink.streams != nil
	if !transcode { // streams have ports of their own
		flow.Client, d.substitute = d.sink.pairs.take(flow.Mirrored(opts))
	}
	d.flow = flow.Mirrored(opts)
	opts.Note = note(s, content, d.flow)
	d.noted = content
	d.tell(s)
	to := d.sink.ports.For(flow)
	if transcode {
		d.conversation = http2.Open(to, flow, http2.Options{Options: opts, Ports: d.sink.streams})
		return
	}
	d.conversation = mirror.Open(to, flow, opts)
}

// leave gives the endpoints of the conversation back, which is closed.
func (d *delivery) leave() {
	if _, ok := d.conversation.(*mirror.Conversation); ok {
		d.sink.pairs.give(d.flow, d.substitute)
	}
}

// tell gives the sink the names under which the client asked for the origin, and
// which the origin has proven or the DNS has confirmed.
func (d *delivery) tell(s *decrypt.Session) {
	if d.sink.named == nil {
		return
	}
	for _, name := range proven(s) {
		if _, err := netip.ParseAddr(name); name != "" && err != nil {
			d.sink.named(s.Origin.Addr(), strings.ToLower(name))
		}
	}
}

func (d *delivery) omit(dir decrypt.Direction, reason string, octets uint64) {
	if octets == 0 {
		return
	}
	if d.omitted == nil {
		d.omitted = make(map[string][2]uint64)
	}
	n := d.omitted[reason]
	n[dir] += octets
	d.omitted[reason] = n
	d.lost(reason, octets)
}

// account joins what was omitted to the account of the conversation.
func (d *delivery) account() {
	for reason, n := range d.omitted {
		if d.sum.Lost == nil {
			d.sum.Lost = make(map[string][2]uint64)
		}
		sum := d.sum.Lost[reason]
		d.sum.Lost[reason] = [2]uint64{sum[0] + n[0], sum[1] + n[1]}
	}
	d.omitted = nil
	d.countStreams()
}

// streams lists the streams of an HTTP/2 session that was shown as HTTP/1.1, and tells
// what became of it; nil for any other.
func (d *delivery) streams() ([]audit.Stream, *audit.Transcoded) {
	h, ok := d.conversation.(*http2.Session)
	if !ok {
		return nil, nil
	}
	r := h.Report()
	list := make([]audit.Stream, len(r.Mapped))
	for i, st := range r.Mapped {
		list[i] = audit.Stream(st)
	}
	t := transcoded(r)
	return list, &t
}

func transcoded(r http2.Report) audit.Transcoded {
	return audit.Transcoded{
		Streams: r.Streams, Octets: r.Rendered[0] + r.Rendered[1], Lost: r.RenderedLost[0] + r.RenderedLost[1],
		Replaced: r.Replaced, Raw: r.Raw[0] + r.Raw[1], Reason: r.RawReason,
	}
}
