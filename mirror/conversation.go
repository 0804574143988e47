package mirror

import (
	"cmp"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	minMTU = 576   // RFC 791, Section 3.2: every medium takes that much
	maxMTU = 65535 // longest IPv4 packet
	// maxGap bounds, in octets, by how much the sequence advances over what a
	// sink has missed in one go. Half the number space and more would look like
	// data from the past (RFC 9293, Section 3.4).
	maxGap = 1 << 30
	// maxRecuts bounds how often the octets of one call are cut anew because the
	// sink's MTU shrinks meanwhile.
	maxRecuts = 4
	// maxNote bounds the comment that waits for a frame, in octets.
	maxNote = 32 << 10
)

// Options says how a conversation is rendered. The zero value is useful.
type Options struct {
	Mark     Mark
	Ports    PortMap // nil: [ClearPorts]
	Protocol string  // of the cleartext, for Ports; empty: not known
	Note     string  // comment on the first frame, see [Conversation.Note]
	// Now is the clock of TCP timestamps, time.Now if nil. It is read once a
	// call that builds frames; steps back are ignored.
	Now func() time.Time
	// ISN returns an initial sequence number, a random one if nil. It is called
	// for the client, then for the origin.
	ISN func() uint32
	// Handshake, if set and sound, is shown in place of an invented one.
	Handshake *Handshake
	// Lost, if set, is told of every loss that the account counts, before the
	// method that was called for returns. It must not call the conversation.
	Lost func(dir Direction, octets uint64, reason string)
	// Delivered, if set, is told of frames that the sink has taken, with the octets in
	// them, as Lost is of losses. What it was told adds up to the account.
	Delivered func(frames, octets uint64)
}

// state is how far one direction has come.
type state uint8

const (
	open   state = iota
	ending       // no more data, the sink has not taken the FIN
	ended
)

// Conversation renders one session as a TCP connection. It is not safe for
// concurrent use. At rest it takes less than 600 octets and holds no buffer.
//
// No method fails: what a sink does not take is counted, see [Account], and
// leaves a gap in the sequence numbers. A handshake, FIN or RST of which the
// sink took nothing is tried again with the next frames.
type Conversation struct {
	sink      Sink
	segmenter Segmenter // sink, if it is one
	now       func() time.Time
	note      string
	templates [2]template
	layout    layout
	handshake *Handshake // a real one, or nil

	opened       bool // handshake delivered, at least its SYN
	pending      bool // a handshake, FIN or RST waits for the sink
	resetPending bool
	closed       bool
	resetBy      Direction
	state        [2]state
	mss          uint16 // announced in both SYNs
	clock        uint32 // milliseconds

	isn       [2]uint32
	next      [2]uint32 // next sequence number
	delivered [2]uint32 // next after the last delivered frame of the direction
	acked     [2]uint32 // what the peer has acknowledged
	echo      [2]uint32 // timestamp of the last segment
	skew      [2]uint32 // between clock and the timestamps of a real handshake

	counters counters
}

// Open starts a conversation on sink with SYN, SYN-ACK and ACK. If the sink is
// idle, or refuses them, the handshake comes with the first frames that it
// takes, and what was missed shows as a gap behind it.
func Open(sink Sink, flow Flow, opts Options) *Conversation {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.ISN == nil {
		opts.ISN = rand.Uint32
	}
	flow = flow.Mirrored(opts)
	c := &Conversation{sink: sink, now: opts.Now, pending: true, counters: counters{onLoss: opts.Lost, onDelivery: opts.Delivered}}
	c.segmenter, _ = sink.(Segmenter)
	c.clock = uint32(c.now().UnixMilli())
	real, offers := opts.Handshake.usable()
	stamped := real == nil || offers[0].timestamps && offers[1].timestamps
	c.handshake, c.layout = real, newLayout(flow.Client.Addr().Is6(), flow.VLAN != 0, stamped)
	for dir := range Direction(2) {
		ttl := uint8(hopLimit)
		if real == nil {
			c.isn[dir] = opts.ISN()
		} else {
			c.isn[dir] = real.side(dir).ISN
			c.skew[dir] = offers[dir].tsval - c.clock
			ttl = cmp.Or(real.side(dir).TTL, ttl)
		}
		c.templates[dir] = newTemplate(dir, flow, opts.Mark, ttl, c.layout)
		c.templates[dir].id = uint16(c.isn[dir])
		c.next[dir] = c.isn[dir] + 1
	}
	if real != nil {
		c.mss = min(offers[0].mss, offers[1].mss)
	}
	c.delivered, c.acked = c.next, c.next
	c.Note(opts.Note)
	c.flushPending()
	return c
}

// Data shows p as sent together in direction dir: in segments of the MSS, the
// last one with PSH. The receiver acknowledges with each of its own segments,
// and with one that carries no data whenever 64 KiB would stand
// unacknowledged. Data borrows p until it returns and does not allocate, unless
// octets are lost for a reason that is new to the conversation.
func (c *Conversation) Data(dir Direction, p []byte) {
	dir &= 1
	if len(p) == 0 {
		return
	}
	if c.state[dir] != open || c.sink.Idle() {
		c.Skip(dir, uint64(len(p)), ReasonNoReader)
		return
	}
	b := c.begin()
	for at, recuts := 0, maxRecuts; ; c.prepare(b) {
		for at < len(p) && b.n <= batchFrames-2 { // room for an ACK and a segment
			at += c.putData(b, dir, p[at:])
		}
		if back := c.flush(b, recuts > 0); back > 0 {
			at -= back
			recuts--
		}
		if at == len(p) {
			break
		}
	}
	batches.Put(b)
}

// putData appends the first octets of p to b as one frame, behind an
// acknowledgement if one is wanted, and returns how many.
func (c *Conversation) putData(b *batch, dir Direction, p []byte) int {
	c.putACK(b, dir, min(len(p), b.size))
	n, count := c.coalesce(b, dir, p)
	flags := uint8(flagACK)
	if n == len(p) {
		flags |= flagPSH
	}
	if count > 1 {
		c.putSuper(b, dir, flags, p[:n], count)
	} else {
		c.put(b, dir, flags, p[:n])
	}
	return n
}

// Skip leaves out n octets of direction dir and counts them as lost for
// reason, a short fixed word. The sequence advances, by 1 GiB at most in one
// gap: recorders see octets missing. No frame is built. After the direction's
// end the reason is "ended" whatever was given.
func (c *Conversation) Skip(dir Direction, n uint64, reason string) {
	dir &= 1
	if c.state[dir] != open {
		c.counters.lose(dir, n, ReasonEnded)
		return
	}
	c.counters.lose(dir, n, reason)
	room := maxGap - min(maxGap, c.next[dir]-c.delivered[dir])
	c.next[dir] += uint32(min(n, uint64(room)))
}

// Note puts s as a comment on the next frame that the sink takes, for sinks
// that can keep one. Notes that wait for the same frame share it, a line each;
// what exceeds 32 KiB is cut.
func (c *Conversation) Note(s string) {
	if s == "" || c.closed {
		return
	}
	if c.note != "" {
		s = c.note + "\n" + s
	}
	if len(s) > maxNote {
		s = strings.ToValidUTF8(s[:maxNote], "")
	}
	c.note = s
}

// End shows that direction dir is over: FIN, and the receiver's ACK of it. The
// other direction may go on. Data that comes later in direction dir is lost.
func (c *Conversation) End(dir Direction) {
	dir &= 1
	if c.state[dir] != open {
		return
	}
	c.state[dir], c.pending = ending, true
	c.flushPending()
}

// Reset shows that the sender of direction dir has aborted the session: RST.
// It ends both directions. After the end of both it does nothing.
func (c *Conversation) Reset(dir Direction) {
	if c.state[0] != open && c.state[1] != open {
		return
	}
	c.state = [2]state{ended, ended}
	c.resetBy, c.resetPending, c.pending = dir&1, true, true
	c.flushPending()
}

// Close ends the directions that have not ended, with FIN, and returns the
// final account. Later calls change nothing and return the same, apart from
// octets that were handed over too late.
func (c *Conversation) Close() Account {
	if c.closed {
		return c.Account()
	}
	for dir := range c.state {
		if c.state[dir] == open {
			c.state[dir], c.pending = ending, true
		}
	}
	c.flushPending()
	c.closed = true
	return c.Account()
}

// Account returns what has become of the octets so far.
func (c *Conversation) Account() Account { return c.counters.account() }

// Flow returns the flow as recorders see it: port mapped, MACs and tag set.
func (c *Conversation) Flow() Flow { return flowOf(c.templates[ClientToOrigin].octets[:], c.layout) }

// flushPending sends what is pending, if a recorder would see it.
func (c *Conversation) flushPending() {
	if c.pending && !c.sink.Idle() {
		c.finish(c.begin())
	}
}

// putPending appends a handshake, FINs or an RST that the sink has not taken yet
// to b, which is empty. mss is the one to announce.
func (c *Conversation) putPending(b *batch, mss int) {
	c.pending = false
	if !c.opened {
		c.putHandshake(b, uint16(mss))
	}
	if c.resetPending {
		c.resetPending = false
		if dir := c.resetBy; c.acked[dir] != c.next[dir] {
			c.put(b, dir^1, flagACK, nil)
		}
		c.put(b, c.resetBy, flagRST|flagACK, nil)
		return
	}
	for dir := range Direction(2) {
		if c.state[dir] == ending {
			c.state[dir] = ended
			c.putACK(b, dir, 0)
			c.put(b, dir, flagFIN|flagACK, nil)
		}
	}
	for dir := range Direction(2) {
		if c.state[dir] == ended && c.acked[dir] != c.next[dir] {
			c.put(b, dir^1, flagACK, nil)
		}
	}
}

// putHandshake appends SYN, SYN-ACK and ACK (RFC 9293, Section 3.5). They take
// the initial sequence numbers, wherever the conversation stands by now.
func (c *Conversation) putHandshake(b *batch, mss uint16) {
	c.opened = true
	client, origin := c.isn[ClientToOrigin], c.isn[OriginToClient]
	syn := HandshakeSide{Window: window}
	synACK := syn
	var options [2][maxOptions]byte
	if c.handshake != nil {
		syn, synACK = c.handshake.Client, c.handshake.Origin
	} else {
		c.mss = mss
		syn.Options = inventOptions(options[0][:0], mss, b.tsval, 0)
		synACK.Options = inventOptions(options[1][:0], mss, b.tsval, b.tsval)
	}
	h := c.templates[ClientToOrigin].putSYN(&b.headers[b.n], c.layout, client, 0, flagSYN, syn.Window, syn.Options)
	c.append(b, h, nil, segment{dir: ClientToOrigin, flags: flagSYN, end: client + 1, ack: origin + 1})
	b.frames[b.n-1].Time = syn.Time
	h = c.templates[OriginToClient].putSYN(&b.headers[b.n], c.layout, origin, client+1, flagSYN|flagACK, synACK.Window, synACK.Options)
	c.append(b, h, nil, segment{dir: OriginToClient, flags: flagSYN | flagACK, end: origin + 1, ack: client + 1})
	b.frames[b.n-1].Time = synACK.Time
	tsval := b.tsval + c.skew[ClientToOrigin]
	h = c.templates[ClientToOrigin].put(&b.headers[b.n], c.layout, client+1, origin+1, flagACK, tsval, b.tsval+c.skew[OriginToClient], 0, 0)
	c.append(b, h, nil, segment{dir: ClientToOrigin, flags: flagACK, end: client + 1, ack: origin + 1})
	b.frames[b.n-1].Time = synACK.Time
}
