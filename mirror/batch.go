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
	n        int // frames built and not sent
	mss      int // what the sink's MTU allowed when they were begun
	size     int // payload octets that a segment may carry now
	super    int // payload octets that a super-segment may carry now; not above size: none are built
	tsval    uint32
	acked    [2]uint32 // Conversation.acked as the sink knows it
	frames   [batchFrames]Frame
	segments [batchFrames]segment
	headers  [batchFrames][synHeader]byte
}

// segment is what a frame tells its reader, once it is delivered.
type segment struct {
	dir   Direction
	flags uint8
	count uint8  // frames on the medium
	n     uint16 // payload octets
	end   uint32 // sequence number after the segment
	ack   uint32
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// begin returns an empty batch, into which it puts what is pending first. The
// caller passes it to finish.
func (c *Conversation) begin() *batch {
	b := batches.Get().(*batch)
	now := uint32(c.now().UnixMilli())
	if int32(now-c.clock) > 0 { // never backwards: RFC 7323, Section 5
		c.clock = now
	}
	b.tsval = c.clock
	c.prepare(b)
	return b
}

// prepare prepares an emptied batch for what comes next.
func (c *Conversation) prepare(b *batch) {
	b.acked = c.acked
	mss := c.allowedMSS()
	b.mss = mss
	if c.pending {
		c.putPending(b, mss)
	}
	b.size = min(mss, int(c.mss)) - (c.layout.tcpLength() - tcpHeader)
	b.super = 0
	if c.segmenter != nil {
		b.super = min(c.segmenter.SegmentLimit(), maxMTU) - int(c.layout.end-c.layout.ip)
	}
}

// allowedMSS returns the MSS that the sink's MTU allows now.
func (c *Conversation) allowedMSS() int {
	return min(max(c.sink.MTU(), minMTU), maxMTU) - c.layout.overhead()
}

// finish sends the rest of b and gives it back.
func (c *Conversation) finish(b *batch) {
	c.flush(b, false)
	batches.Put(b)
}

// flush sends what b holds and empties it. With retry, payload that the sink
// did not take because its MTU has shrunk is not lost: it returns how many of the
// last octets are to be put once more, smaller.
func (c *Conversation) flush(b *batch, retry bool) (returned int) {
	if b.n == 0 {
		return 0
	}
	n, err := c.sink.Send(b.frames[:b.n])
	retry = retry && err != nil && errors.Is(err, ErrTooLong) && c.allowedMSS() < b.mss
	frames, octets := c.counters.frames, c.counters.octets[0]+c.counters.octets[1]
	returned = c.account(b, min(max(n, 0), b.n), err, retry)
	c.counters.delivered(frames, octets)
	clear(b.frames[:b.n]) // holds no payload of the caller's any longer
	b.n = 0
	return returned
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
	c.append(b, header, payload, segment{dir: dir, flags: flags, end: end, ack: ack})
}

// putSuper appends a super-segment to b: count segments of b.size octets, the
// last one perhaps shorter. It stands for as many calls of put.
func (c *Conversation) putSuper(b *batch, dir Direction, flags uint8, payload []byte, count int) {
	seq, ack := c.next[dir], c.next[dir^1]
	end := seq + uint32(len(payload))
	c.next[dir], c.acked[dir^1] = end, ack
	header := c.templates[dir].putSuper(&b.headers[b.n], c.layout, seq, ack, flags, b.tsval+c.skew[dir], c.echo[dir^1], len(payload), count)
	b.frames[b.n].Segment = b.size
	c.append(b, header, payload, segment{dir: dir, flags: flags, count: uint8(count - 1), end: end, ack: ack})
}

// coalesce returns how many of the first octets of p, which is not empty, go
// into one frame, and how many segments they make. What separate segments
// would show is what a super-segment shows: it ends where an acknowledgement
// has to come in between.
func (c *Conversation) coalesce(b *batch, dir Direction, p []byte) (octets, segments int) {
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

func (c *Conversation) append(b *batch, header, payload []byte, s segment) {
	frame := &b.frames[b.n]
	frame.Header, frame.Payload = header, payload
	s.n = uint16(len(payload))
	if b.n == 0 {
		frame.Note = c.note
	}
	b.segments[b.n] = s
	b.n++
	c.echo[s.dir] = b.tsval + c.skew[s.dir]
}

// account books a batch of which the sink took the first n frames, and perhaps
// part of the next, and takes back what the others would have told. With retry
// their payload is not lost, and the sequence goes back: by how many octets, it
// returns.
func (c *Conversation) account(b *batch, n int, err error, retry bool) (returned int) {
	c.acked = b.acked
	for i := range n {
		s := &b.segments[i]
		c.delivered[s.dir] = s.end
		c.acked[s.dir^1] = s.ack
		c.counters.octets[s.dir] += uint64(s.n)
		c.counters.frames += uint64(s.count) + 1
	}
	if n > 0 {
		c.note = ""
	}
	if n == b.n {
		return 0
	}
	c.accountPart(&b.frames[n], &b.segments[n])
	reason := LossReason(err)
	for i := n; i < b.n; i++ {
		s := &b.segments[i]
		if retry && s.n > 0 {
			c.next[s.dir] -= uint32(s.n)
			returned += int(s.n)
			continue
		}
		c.counters.framesLost += uint64(s.count) + 1
		c.counters.lose(s.dir, uint64(s.n), reason)
		switch {
		case s.flags == flagSYN:
			c.opened, c.pending = false, true
		case s.flags&flagFIN != 0:
			c.state[s.dir], c.pending = ending, true
			c.next[s.dir]--
		case s.flags&flagRST != 0:
			c.resetPending, c.pending = true, true
		case s.flags == flagACK && c.state[s.dir^1] == ended:
			c.pending = true // the FIN still wants its acknowledgement
		}
	}
	for dir := range c.next {
		if c.next[dir]-c.delivered[dir] > maxGap {
			c.next[dir] = c.delivered[dir] + maxGap
		}
	}
	return returned
}

// accountPart books what the sink took of the first frame that it refused, and
// leaves the rest in s.
func (c *Conversation) accountPart(f *Frame, s *segment) {
	taken := int(s.n) - len(f.Payload)
	if f.Segment <= 0 || taken <= 0 {
		return
	}
	count := taken / f.Segment
	s.n -= uint16(taken)
	s.count -= uint8(count)
	c.delivered[s.dir] = s.end - uint32(s.n)
	c.acked[s.dir^1] = s.ack
	c.note = ""
	c.counters.octets[s.dir] += uint64(taken)
	c.counters.frames += uint64(count)
}
