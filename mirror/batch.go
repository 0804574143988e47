package mirror

import (
	"sync"

	"github.com/clearspan/clearspan/mirror/internal/checksum"
)

// batchFrames is how many frames go to the sink in one Send at most.
const batchFrames = 64

// batch is the working memory of one call. Conversations hold one only while
// they build frames, so that an idle conversation costs no buffer.
type batch struct {
	n       int // frames built and not sent
	size    int // payload octets that a segment may carry now
	tsval   uint32
	acked   [2]uint32 // Conversation.acked as the sink knows it
	frames  [batchFrames]Frame
	sent    [batchFrames]sent
	headers [batchFrames][synHeader]byte
}

// sent is what a frame tells its reader, once it is delivered.
type sent struct {
	dir   Direction
	flags uint8
	end   uint32 // sequence number after the segment
	ack   uint32
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// begin returns an empty batch, into which it puts what is due first. The
// caller passes it to finish.
func (c *Conversation) begin() *batch {
	b := batches.Get().(*batch)
	now := uint32(c.now().UnixMilli())
	if int32(now-c.clock) > 0 { // never backwards: RFC 7323, Section 5
		c.clock = now
	}
	b.tsval = c.clock
	c.start(b)
	return b
}

// start prepares an emptied batch for what comes next.
func (c *Conversation) start(b *batch) {
	b.acked = c.acked
	mss := min(max(c.sink.MTU(), minMTU), maxMTU) - c.layout.overhead()
	if c.due {
		c.putDue(b, mss)
	}
	b.size = min(mss, int(c.mss)) - (c.layout.tcpLength() - tcpHeader)
}

// finish sends the rest of b and gives it back.
func (c *Conversation) finish(b *batch) {
	c.flush(b)
	batches.Put(b)
}

// flush sends what b holds and empties it.
func (c *Conversation) flush(b *batch) {
	if b.n == 0 {
		return
	}
	n, err := c.sink.Send(b.frames[:b.n])
	c.settle(b, min(max(n, 0), b.n), err)
	clear(b.frames[:b.n]) // holds no payload of the caller's any longer
	b.n = 0
}

// put appends one segment to b, which has room for it. The segment acknowledges
// all that stands before it.
func (c *Conversation) put(b *batch, dir Direction, flags uint8, payload []byte) {
	seq, ack := c.next[dir], c.next[dir^1]
	end := seq + uint32(len(payload))
	if flags&flagFIN != 0 {
		end++
	}
	c.next[dir], c.acked[dir^1] = end, ack
	header := c.templates[dir].put(&b.headers[b.n], c.layout, seq, ack, flags, b.tsval+c.skew[dir], c.echo[dir^1], len(payload), checksum.Sum(payload))
	c.append(b, header, payload, sent{dir, flags, end, ack})
}

// putACK appends the receiver's acknowledgement of direction dir to b, if n more
// octets would leave too many without one.
func (c *Conversation) putACK(b *batch, dir Direction, n int) {
	if c.next[dir]-c.acked[dir]+uint32(n) > maxUnacked {
		c.put(b, dir^1, flagACK, nil)
	}
}

func (c *Conversation) append(b *batch, header, payload []byte, s sent) {
	frame := &b.frames[b.n]
	frame.Header, frame.Payload = header, payload
	if b.n == 0 {
		frame.Note = c.note
	}
	b.sent[b.n] = s
	b.n++
	c.echo[s.dir] = b.tsval + c.skew[s.dir]
}

// settle books a batch of which the sink took the first n frames, and takes
// back what the others would have told.
func (c *Conversation) settle(b *batch, n int, err error) {
	c.acked = b.acked
	for i := range n {
		s := &b.sent[i]
		c.shown[s.dir] = s.end
		c.acked[s.dir^1] = s.ack
		c.ledger.octets[s.dir] += uint64(len(b.frames[i].Payload))
	}
	c.ledger.frames += uint64(n)
	if n > 0 {
		c.note = ""
	}
	if n == b.n {
		return
	}
	c.ledger.framesLost += uint64(b.n - n)
	reason := LossReason(err)
	for i := n; i < b.n; i++ {
		s := &b.sent[i]
		c.ledger.lose(s.dir, uint64(len(b.frames[i].Payload)), reason)
		switch {
		case s.flags == flagSYN:
			c.opened, c.due = false, true
		case s.flags&flagFIN != 0:
			c.state[s.dir], c.due = ending, true
			c.next[s.dir]--
		case s.flags&flagRST != 0:
			c.resetDue, c.due = true, true
		case s.flags == flagACK && c.state[s.dir^1] == ended:
			c.due = true // the FIN still wants its acknowledgement
		}
	}
	for dir := range c.next {
		if c.next[dir]-c.shown[dir] > maxGap {
			c.next[dir] = c.shown[dir] + maxGap
		}
	}
}
