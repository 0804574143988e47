package http2

import (
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/mirror"
)

const (
	maxStreams = 1024      // open at a time in one session
	maxMapped  = 256       // streams whose ports are reported
	maxBlock   = 256 << 10 // octets of a header block with its frames, or of a frame that is read whole
	maxFrames  = 128       // frames of a header block
	maxFields  = 1 << 20   // size of the fields of a block, as RFC 7541, Section 4.1, counts
	maxResets  = 1000      // streams in a row that the client resets before an answer
	// Fields of a session may have this size for each octet relayed, beside
	// freeFields. A block of few octets can stand for a large header.
	maxExpansion = 256
	freeFields   = 16 << 20
	spare        = 4 << 10 // octets of working memory that a session keeps between frames
)

// Options says how a session is rendered.
type Options struct {
	// Options are those of all conversations. Protocol is h2 for the one with the
	// session's own ports, and http/1.1 for those of streams, whose handshake is
	// invented. Lost and Delivered are told of octets as they were relayed, and of the
	// frames of all conversations.
	mirror.Options
	// Ports gives client ports to streams. Sessions on one sink share it; nil:
	// ports of its own.
	Ports *Ports
}

// Session renders one HTTP/2 session. It is not safe for concurrent use. No
// method fails or waits for anything but the sink.
type Session struct {
	original mirror.Options // of the conversation with the session's own ports
	account  account
	streams  streams
	render   renderer

	sides   [2]side
	raw     *mirror.Conversation // what is not rendered; nil until then
	fields  []hpack.HeaderField  // of the block that is being rendered
	sizes   uint64               // of all fields so far
	relayed uint64               // octets, both directions
	closed  bool
}

// Open starts to render a session. There is nothing to show until its first
// stream is opened.
func Open(sink mirror.Sink, flow mirror.Flow, opts Options) *Session {
	s := &Session{original: opts.Options}
	s.account.onLoss, s.account.onDelivery = opts.Lost, opts.Delivered
	s.original.Lost, s.original.Delivered, s.original.Protocol = s.account.missed, nil, "h2"
	if opts.Delivered != nil {
		s.original.Delivered = func(frames, _ uint64) { opts.Delivered(frames, 0) }
	}
	s.render.account = &s.account
	s.streams = streams{sink: sink, flow: flow, options: s.original, ports: opts.Ports, account: &s.account, open: make(map[uint32]*stream)}
	s.streams.options.Protocol, s.streams.options.Handshake = "http/1.1", nil
	if s.streams.ports == nil {
		s.streams.ports = NewPorts()
	}
	for dir := range mirror.Direction(2) {
		s.sides[dir] = newSide(dir)
	}
	return s
}

// Data renders p, which was relayed in direction dir. It borrows p until it
// returns. For content of DATA frames it does not allocate.
func (s *Session) Data(dir mirror.Direction, p []byte) {
	dir &= 1
	if s.closed {
		s.account.lose(dir, uint64(len(p)), mirror.ReasonEnded)
		return
	}
	s.account.dir = dir
	s.relayed += uint64(len(p))
	side := &s.sides[dir]
	for len(p) > 0 && s.raw == nil {
		p = p[s.take(side, p):]
	}
	if s.raw == nil {
		side.reader.Release()
	} else {
		s.pass(dir, p)
	}
}

// End shows that direction dir is over: in every open conversation.
func (s *Session) End(dir mirror.Direction) {
	dir &= 1
	s.cutShort(dir)
	for _, st := range s.streams.sorted() {
		st.conversation.End(dir)
	}
	if s.raw != nil {
		s.raw.End(dir)
	}
}

// Reset shows that the sender of direction dir has aborted the session: in
// every open conversation.
func (s *Session) Reset(dir mirror.Direction) {
	dir &= 1
	for d := range mirror.Direction(2) {
		s.cutShort(d)
	}
	for _, st := range s.streams.sorted() {
		st.conversation.Reset(dir)
	}
	if s.raw != nil {
		s.raw.Reset(dir)
	}
}

// Close ends what has not ended, and returns the final account in octets as
// they were relayed. Later calls return the same.
func (s *Session) Close() mirror.Account {
	if s.closed {
		return s.account.total()
	}
	for dir := range mirror.Direction(2) {
		s.cutShort(dir)
		s.account.count(dir, 0)
	}
	s.closed = true
	for _, st := range s.streams.sorted() {
		s.streams.remove(st)
	}
	if s.raw != nil {
		s.account.add(s.raw.Close())
	}
	s.fields, s.render.text = nil, nil
	return s.account.total()
}

// Flow returns the flow of the session as recorders see that of its streams,
// with the session's own client port.
func (s *Session) Flow() mirror.Flow { return s.streams.flow.Mirrored(s.streams.options) }

// Report returns what became of the session so far. Mapped is shared: it is not
// to be changed.
func (s *Session) Report() Report {
	a := &s.account
	r := Report{
		RenderedLost: a.renderedLost, Streams: s.streams.opened, Mapped: s.streams.mapped, Replaced: a.replaced,
		Raw: a.raw, RawReason: a.rawReason,
	}
	for dir := range r.Rendered {
		r.Rendered[dir] = a.rendered[dir] - a.renderedLost[dir]
	}
	return r
}

// cutShort passes on what is left of a frame that was not completed in dir.
func (s *Session) cutShort(dir mirror.Direction) {
	if s.raw == nil && !s.closed && len(s.sides[dir].reader.Unit()) > 0 {
		s.giveUp(rawIncomplete)
	}
}

// giveUp renders nothing from now on. What waits for the rest of its frame is
// passed on as it is, and so is the frame that cannot be rendered.
func (s *Session) giveUp(reason string) {
	s.account.rawReason = reason
	dir := s.account.dir
	s.raw = mirror.Open(s.streams.sink, s.streams.flow, s.original)
	for d := range mirror.Direction(2) {
		s.account.dir = d
		s.account.count(d, 0)
		s.pass(d, s.sides[d].reader.Unit())
		s.sides[d] = side{dir: d}
	}
	s.account.dir = dir
}

// pass shows p as HTTP/2.
func (s *Session) pass(dir mirror.Direction, p []byte) {
	if len(p) == 0 {
		return
	}
	s.account.raw[dir] += uint64(len(p))
	s.account.exactly(s.raw, dir, p)
}
