package mirror

import (
	"errors"
	"sync"

	"github.com/clearspan/clearspan/mirror/internal/checksum"
)

// batchFrames is how many frames go to the sink in one Send at most.
const batchFrames = 64

// maxSegments is how many segments a super-segment has at most.
const maxSegments = 1 << 8

// batch is the working memory of one call. Conversations hold one only while
// they build frames, so that an idle conversation costs no buffer.
type batch struct {
	n       int // frames built and not sent
	mss     int // what the sink's MTU allowed when they were begun
	size    int // payload octets that a segment may carry now
	super   int // payload octets that a super-segment may carry now; not above size: none are built
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
	count uint8  // frames on the medium
	n     uint16 // payload octets
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
	mss := c.allowed()
	b.mss = mss
	if c.due {
		c.putDue(b, mss)
	}
	b.size = min(mss, int(c.mss)) - (c.layout.tcpLength() - tcpHeader)
	b.super = 0
	if c.segmenter != nil {
		b.super = min(c.segmenter.SegmentLimit(), maxMTU) - int(c.layout.end-c.layout.ip)
	}
}

// allowed returns the MSS that the sink's MTU allows now.
func (c *Conversation) allowed() int {
	return min(max(c.sink.MTU(), minMTU), maxMTU) - c.layout.overhead()
}

// finish sends the rest of b and gives it back.
func (c *Conversation) finish(b *batch) {
	c.flush(b, false)
	batches.Put(b)
}

// flush sends what b holds and empties it. With again, payload that the sink
// did not take because its MTU has shrunk is not lost: it returns how many of the
// last octets are to be put once more, smaller.
func (c *Conversation) flush(b *batch, again bool) (back int) {
	if b.n == 0 {
		return 0
	}
	n, err := c.sink.Send(b.frames[:b.n])
	again = again && err != nil && errors.Is(err, ErrTooLong) && c.allowed() < b.mss
	back = c.settle(b, min(max(n, 0), b.n), err, again)
	clear(b.frames[:b.n]) // holds no payload of the caller's any longer
	b.n = 0
	return back
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
	c.append(b, header, payload, sent{dir: dir, flags: flags, end: end, ack: ack})
}

// putSuper appends a super-segment to b: count segments of b.size octets, the
// last one perhaps shorter. It stands for as many calls of put.
func (c *Conversation) putSuper(b *batch, dir Direction, flags uint8, payload []byte, count int) {
	seq, ack := c.next[dir], c.next[dir^1]
	end := seq + uint32(len(payload))
	c.next[dir], c.acked[dir^1] = end, ack
	header := c.templates[dir].putSuper(&b.headers[b.n], c.layout, seq, ack, flags, b.tsval+c.skew[dir], c.echo[dir^1], len(payload), count)
	b.frames[b.n].Segment = b.size
	c.append(b, header, payload, sent{dir: dir, flags: flags, count: uint8(count - 1), end: end, ack: ack})
}

// together returns how many of the first octets of p, which is not empty, go
// into one frame, and how many segments they make. What separate segments
// would show is what a super-segment shows: it ends where an acknowledgement
// has to come in between.
func (c *Conversation) together(b *batch, dir Direction, p []byte) (octets, segments int) {
	room := min(b.super, maxUnacked-int(c.next[dir]-c.acked[dir]))
	octets = min(len(p), b.size)
	if room <= b.size || len(p) <= b.size {
		return octets, 1
	}
	if len(p) <= room {
		octets = len(p)
	} else {
		octets = room - room%b.size
	}
	segments = (octets + b.size - 1) / b.size
	if segments > maxSegments {
		octets, segments = maxSegments*b.size, maxSegments
	}
	return octets, segments
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
	s.n = uint16(len(payload))
	if b.n == 0 {
		frame.Note = c.note
	}
	b.sent[b.n] = s
	b.n++
	c.echo[s.dir] = b.tsval + c.skew[s.dir]
}

// settle books a batch of which the sink took the first n frames, and perhaps
// part of the next, and takes back what the others would have told. With again
// their payload is not lost, and the sequence goes back: by how many octets, it
// returns.
func (c *Conversation) settle(b *batch, n int, err error, again bool) (back int) {
	c.acked = b.acked
	for i := range n {
		s := &b.sent[i]
		c.shown[s.dir] = s.end
		c.acked[s.dir^1] = s.ack
		c.ledger.octets[s.dir] += uint64(s.n)
		c.ledger.frames += uint64(s.count) + 1
	}
	if n > 0 {
		c.note = ""
	}
	if n == b.n {
		return 0
	}
	c.settlePart(&b.frames[n], &b.sent[n])
	reason := LossReason(err)
	for i := n; i < b.n; i++ {
		s := &b.sent[i]
		if again && s.n > 0 {
			c.next[s.dir] -= uint32(s.n)
			back += int(s.n)
			continue
		}
		c.ledger.framesLost += uint64(s.count) + 1
		c.ledger.lose(s.dir, uint64(s.n), reason)
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
	return back
}

// settlePart books what the sink took of the first frame that it refused, and
// leaves the rest in s.
func (c *Conversation) settlePart(f *Frame, s *sent) {
	taken := int(s.n) - len(f.Payload)
	if f.Segment <= 0 || taken <= 0 {
		return
	}
	count := taken / f.Segment
	s.n -= uint16(taken)
	s.count -= uint8(count)
	c.shown[s.dir] = s.end - uint32(s.n)
	c.acked[s.dir^1] = s.ack
	c.note = ""
	c.ledger.octets[s.dir] += uint64(taken)
	c.ledger.frames += uint64(count)
}
