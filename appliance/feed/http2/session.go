package http2

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/mirror"
)

const (
	maxStreams = 1024      // open at a time in one session
	maxMapped  = 256       // streams whose ports are reported
	maxBlock   = 256 << 10 // octets of a header block with its frames, or of a frame that is read whole
	maxFrames  = 128       // frames of a header block
	maxFields  = 1 << 20   // size of the fields of a block, as RFC 7541, Section 4.1, counts
	maxTable   = 64 << 10  // octets of a dynamic table
	maxResets  = 1000      // streams in a row that the client resets before an answer
	// Fields of a session may have this size for each octet relayed, beside
	// freeFields. A block of few octets can stand for a large header.
	maxExpansion = 256
	freeFields   = 16 << 20
	spare        = 4 << 10 // octets of working memory that a session keeps between frames
)

// Options says how a session is rendered.
type Options struct {
	// Options are those of all conversations. ALPN is h2 for the one with the
	// session's own ports, and http/1.1 for those of streams, whose handshake is
	// invented. Lost is not used.
	mirror.Options
	// Ports gives client ports to streams. Sessions on one sink share it; nil:
	// ports of its own.
	Ports *Ports
}

// Session renders one HTTP/2 session. It is not safe for concurrent use. No
// method fails or waits for anything but the sink.
type Session struct {
	sink     mirror.Sink
	flow     mirror.Flow
	original mirror.Options // of the conversation with the session's own ports
	alike    mirror.Options // of those of streams
	ports    *Ports

	sides   [2]side
	streams map[uint32]*stream
	highest [2]uint32            // stream opened by the client, promised by the origin
	raw     *mirror.Conversation // what is not rendered; nil until then
	fields  []hpack.HeaderField  // of the block that is being decoded
	size    int                  // of fields
	sizes   uint64               // of all fields so far
	relayed uint64               // octets, both directions
	resets  int                  // see maxResets
	text    []byte               // rendering of a header
	scratch [24]byte             // rendering of a chunk's frame

	dir    mirror.Direction // whose octets are at hand
	single bool             // they are shown octet by octet
	closed bool
	books
}

// Open starts to render a session. There is nothing to show until its first
// stream is opened.
func Open(sink mirror.Sink, flow mirror.Flow, opts Options) *Session {
	s := &Session{sink: sink, flow: flow, original: opts.Options, ports: opts.Ports, streams: make(map[uint32]*stream)}
	if s.ports == nil {
		s.ports = NewPorts()
	}
	s.original.Lost, s.original.ALPN = s.lost, "h2"
	s.alike = s.original
	s.alike.ALPN, s.alike.Handshake = "http/1.1", nil
	for dir := range mirror.Direction(2) {
		s.sides[dir].dir = dir
		s.sides[dir].allowed = defaultTable
	}
	s.sides[mirror.ClientToOrigin].preface = len(preface)
	return s
}

// Data renders p, which was relayed in direction dir. It borrows p until it
// returns. For content of DATA frames it does not allocate.
func (s *Session) Data(dir mirror.Direction, p []byte) {
	dir &= 1
	s.dir = dir
	if s.closed {
		s.lose(dir, uint64(len(p)), mirror.ReasonEnded)
		return
	}
	s.relayed += uint64(len(p))
	for len(p) > 0 && s.raw == nil {
		p = p[s.take(&s.sides[dir], p):]
	}
	s.pass(dir, p)
}

// End shows that direction dir is over: in every open conversation.
func (s *Session) End(dir mirror.Direction) {
	dir &= 1
	s.cutShort(dir)
	for _, st := range s.open() {
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
	for _, st := range s.open() {
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
		return s.account()
	}
	for dir := range mirror.Direction(2) {
		s.cutShort(dir)
		s.settle(&s.sides[dir], 0)
	}
	s.closed = true
	for _, st := range s.open() {
		s.remove(st)
	}
	if s.raw != nil {
		s.add(s.raw.Close())
	}
	s.fields, s.text = nil, nil
	return s.account()
}

// Flow returns the flow of the session as recorders see that of its streams,
// with the session's own client port.
func (s *Session) Flow() mirror.Flow { return s.flow.Mirrored(s.alike) }

// open returns the streams that are open, in order.
func (s *Session) open() []*stream {
	list := make([]*stream, 0, len(s.streams))
	for _, id := range slices.Sorted(maps.Keys(s.streams)) {
		list = append(list, s.streams[id])
	}
	return list
}

// cutShort passes on what is left of a frame that was not completed in dir.
func (s *Session) cutShort(dir mirror.Direction) {
	if s.raw == nil && !s.closed && len(s.sides[dir].held) > 0 {
		s.giveUp(rawIncomplete)
	}
}

// giveUp renders nothing from now on. What waits for the rest of its frame is
// passed on as it is.
func (s *Session) giveUp(reason string) {
	s.rawReason = reason
	dir := s.dir
	s.raw = mirror.Open(s.sink, s.flow, s.original)
	for d := range mirror.Direction(2) {
		side := &s.sides[d]
		s.dir = d
		s.settle(side, 0)
		s.pass(d, side.held)
		side.held, side.decoder = nil, nil
	}
	s.dir = dir
}

// pass shows p as HTTP/2.
func (s *Session) pass(dir mirror.Direction, p []byte) {
	if len(p) == 0 {
		return
	}
	s.rawOctets[dir] += uint64(len(p))
	s.exactly(s.raw, dir, p)
}

// exactly shows octets that stand for themselves.
func (s *Session) exactly(c *mirror.Conversation, dir mirror.Direction, p []byte) {
	s.single = true
	s.say(c, dir, p)
	s.single = false
	s.octets[s.dir] += uint64(len(p))
}

// say shows what was rendered in direction dir of a conversation.
func (s *Session) say(c *mirror.Conversation, dir mirror.Direction, p []byte) {
	s.rendered[dir] += uint64(len(p))
	c.Data(dir, p)
}

// note is the comment on a stream's first frame.
func (s *Session) note(id uint32) string {
	if s.original.Note == "" {
		return fmt.Sprintf("stream=%d", id)
	}
	return fmt.Sprintf("%s stream=%d", s.original.Note, id)
}
