package conformance

// Directions of a conversation.
const (
	fromClient = 0
	fromOrigin = 1
)

// stage is how far a handshake has come.
type stage uint8

const (
	noSegment stage = iota
	sawSYN
	sawSYNACK
	complete
)

// conversation is one TCP connection of the capture.
type conversation struct {
	key          key
	newer, older *conversation // see table

	client, origin endpoint
	halves         [2]halfStream
	last           moment

	stage           stage
	handshakeBroken bool // the handshake was found broken
	midstream       bool // it began before the capture or before it was given up
	reset           bool
	dialogue        *dialogue // nil: none, or nothing more to be learned from it
	mail            bool      // there was one
}

// halfStream is one direction of a conversation, as its sender showed it.
type halfStream struct {
	frames uint32
	syn    bool   // a SYN was seen
	synced bool   // next is known
	fin    bool   // next is behind the FIN
	isn    uint32 // if syn
	first  uint32 // sequence number of the first octet of data
	next   uint32 // behind the last octet seen
	acked  uint32 // by the peer, if ackSeen
	edge   uint32 // first octet that the peer is not ready to take, if edgeSeen
	octets uint64

	ackSeen  bool
	answered bool // the peer sent something after the first octet
	edgeSeen bool
	hasScale bool
	scale    uint8
	hasTime  bool
	tsval    uint32

	id       uint16 // of the first IPv4 packet
	ids      uint32 // IPv4 packets with octets
	idVaries bool

	gaps    gaps
	ring    *ring
	recent  [8]fingerprint
	content stream
}

// fingerprint tells whether a frame is another one's copy.
type fingerprint struct {
	seq, ack     uint32
	id, checksum uint16
	length       uint16
	flags        uint8
	valid        bool
}

// isnRun counts conversations in a row with the same initial sequence number.
type isnRun struct {
	isn  uint32
	runs int
}

// constantISN is how many conversations in a row make a number constant.
const constantISN = 3

// constantID is how many packets in a row make an identification constant.
const constantID = 8

func (v *conversation) flow(dir int) string {
	if dir == fromOrigin {
		return flow(v.origin, v.client, v.key.vlan)
	}
	return flow(v.client, v.origin, v.key.vlan)
}

func (v *conversation) ended() bool { return v.reset || v.halves[0].fin && v.halves[1].fin }

// conversation returns the one that p belongs to and p's direction in it. A SYN
// after the end, or with another number, begins another on the same ports.
func (c *Checker) conversation(p *packet) (v *conversation, dir int) {
	k := keyOf(p)
	v = c.table.byKey[k]
	if v != nil && p.flags&(flagSYN|flagACK) == flagSYN {
		h := &v.halves[v.direction(p)]
		again := h.syn && h.isn == p.seq && !v.ended()
		if !again {
			if !v.ended() && !v.midstream {
				if o := c.hit(Reuse, v, v.direction(p)); o != nil {
					o.Text = "SYN in a conversation without an end"
				}
			}
			c.finish(v, true, true) // a missing end was told just now
			c.table.remove(v)
			v = nil
		}
	}
	if v == nil {
		v = c.openConversation(k, p)
	} else {
		c.table.touch(v)
	}
	v.last = c.now
	return v, v.direction(p)
}

func (v *conversation) direction(p *packet) int {
	if p.source == v.client {
		return fromClient
	}
	return fromOrigin
}

// openConversation begins a conversation with its first frame.
func (c *Checker) openConversation(k key, p *packet) *conversation {
	var v *conversation
	if len(c.table.byKey) < c.table.limit {
		v = new(conversation)
	} else {
		v = c.table.oldest() // its memory is used again
		if !v.ended() {
			c.report.GivenUp++
			c.table.markEvicted(v.key)
		}
		c.finish(v, v.ended(), v.ended())
		c.table.remove(v)
	}
	*v = conversation{key: k, client: p.source, origin: p.dest}
	toClient := p.flags&(flagSYN|flagACK) == flagSYN|flagACK || p.flags&flagSYN == 0 && p.source.port < p.dest.port
	if toClient {
		v.client, v.origin = v.origin, v.client
	}
	c.table.insert(v)
	if p.flags&flagSYN == 0 && c.table.wasEvicted(k) {
		v.midstream = true
		return v
	}
	c.report.Conversations++
	c.judged[Handshake]++
	c.judged[Reuse]++
	switch {
	case p.flags&flagSYN != 0:
	case c.options.Cut:
		v.midstream = true
		if c.report.Cut++; len(c.cut) < maxOccurrences {
			o := occurrence(v, v.direction(p), c.now)
			o.Text = "no SYN before this segment"
			c.cut = append(c.cut, o)
		}
	default:
		v.midstream = true
		c.breakHandshake(v, v.direction(p), "no SYN before this segment")
	}
	return v
}

// breakHandshake reports the handshake of v, once.
func (c *Checker) breakHandshake(v *conversation, dir int, why string) {
	if v.handshakeBroken {
		return
	}
	v.handshakeBroken = true
	if o := c.hit(Handshake, v, dir); o != nil {
		o.Text = why
	}
}

// duplicate reports whether the frame is a copy of one of the last in h, and keeps
// its fingerprint if not.
func (h *halfStream) duplicate(p *packet) bool {
	f := fingerprint{p.seq, p.ack, p.id, p.tcpChecksum, uint16(p.length), p.flags, true}
	// Two equal acknowledgements need not be copies where nothing counts.
	telling := p.length > 0 || p.hasTime || p.flags&flagSYN != 0 || !p.v6 && p.id != 0
	if telling {
		for i := range h.recent {
			if h.recent[i] == f {
				return true
			}
		}
	}
	h.recent[h.frames%uint32(len(h.recent))] = f
	return false
}
