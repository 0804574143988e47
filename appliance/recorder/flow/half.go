package flow

import (
	"bytes"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto"
)

const (
	maxEarly     = 1 << 20     // octets of one direction that wait
	patientParts = 32          // early segments behind acknowledged octets, until those count as lost
	patientTurns = 16          // or how often the ends take turns meanwhile: no capture mixes up that much
	patientFor   = time.Second // or how long such segments wait
)

// early is a segment that waits: for octets in front of it, or for octets of the other end
// that were said before. Its octets are a copy.
type early struct {
	seq    uint32
	octets []byte
	length int // on the wire; more than octets if the capture cut it
	ack    uint32
	order  uint64 // in which segments came
}

// half is one direction of a TCP connection.
type half struct {
	began bool
	next  uint32 // sequence number of the next octet that is told
	early []early
	held  int       // octets in early
	since time.Time // when the first of early came
	acked uint32
	heard bool   // acked is known
	vain  uint32 // up to there the other end claims to have octets, for which it was waited in vain
	tired bool   // vain is known
	fin   uint32
	ends  bool // fin is known
	ended bool // told
}

// after returns how far b is behind a: negative if it is in front.
func after(a, b uint32) int { return int(int32(b - a)) }

// segment takes the payload of one segment.
func (c *conversation) segment(dir proto.Direction, k *packet) {
	h := &c.half[dir]
	seq := k.seq
	if k.flags&flagSYN != 0 {
		seq++ // payload of a SYN (RFC 7413) is behind it
	}
	if !h.began {
		h.began, h.next = true, seq
	}
	if k.flags&flagFIN != 0 && !h.ends {
		h.ends, h.fin = true, seq+uint32(k.length)
	}
	if k.length > 0 && !h.ended {
		c.payload(dir, early{seq: seq, octets: k.payload, length: k.length, ack: k.ack})
	}
	c.finish(dir)
	c.finish(dir.Opposite())
}

// payload tells octets that come in order, and keeps early ones. It borrows those of e.
func (c *conversation) payload(dir proto.Direction, e early) {
	h := &c.half[dir]
	e.octets = e.octets[:min(len(e.octets), e.length)]
	ahead := after(h.next, e.seq)
	switch {
	case e.length+ahead <= 0:
		return // again
	case ahead > 0, c.behind(dir, e.ack):
		c.keep(dir, e)
		return
	}
	c.tell(dir, e.octets[min(-ahead, len(e.octets)):], e.length+ahead) // without an overlap
	c.drain(dir)
}

// behind reports whether a segment was sent behind octets of the other end that are missing,
// as its acknowledgement says. Those come first, or their gap, because who reads both
// directions takes them in the order in which they were said.
func (c *conversation) behind(dir proto.Direction, ack uint32) bool {
	o := &c.half[dir.Opposite()]
	return o.began && after(o.next, ack) > 0 && !(o.tired && after(o.vain, ack) <= 0)
}

// tell tells octets that are next: those that were captured, and a gap for the rest.
func (c *conversation) tell(dir proto.Direction, p []byte, length int) {
	h := &c.half[dir]
	h.next += uint32(length)
	if len(p) > 0 {
		c.Counts[dir].Octets += uint64(len(p))
		if c.stream != nil {
			c.stream.Data(dir, p)
		}
	}
	if length > len(p) {
		c.gap(dir, length-len(p))
	}
}

func (c *conversation) gap(dir proto.Direction, n int) {
	c.Counts[dir].Lost += uint64(n)
	if c.stream != nil {
		c.stream.Gap(dir, uint64(n))
	}
}

// keep has an early segment wait. What waits for too long, or is too much, ends the wait.
func (c *conversation) keep(dir proto.Direction, e early) {
	h := &c.half[dir]
	i, known := slices.BinarySearchFunc(h.early, e, func(a, b early) int { return after(b.seq, a.seq) })
	if known && h.early[i].length >= e.length {
		if o := h.early[i].octets; !bytes.Equal(o[:min(len(o), len(e.octets))], e.octets[:min(len(o), len(e.octets))]) {
			c.Flags |= Ambiguous
		}
		return
	}
	c.compare(h, i, &e)
	e.octets = append([]byte(nil), e.octets...)
	c.kept++
	e.order = c.kept
	switch {
	case len(h.early) == 0 && len(c.half[dir.Opposite()].early) == 0:
		c.turns, c.turn = 0, dir
	case c.turn != dir:
		c.turns, c.turn = c.turns+1, dir
	}
	h.early = slices.Insert(h.early, i, e)
	if len(h.early) == 1 {
		h.since = c.table.clock.now
	}
	h.held += len(e.octets)
	c.table.held += len(e.octets)
	for len(h.early) > 0 && (h.held > maxEarly || c.table.held > c.table.maxHeld || c.lost(dir)) {
		c.skip(dir)
	}
}

// compare looks for other contents in the segment that waits in front of e.
func (c *conversation) compare(h *half, i int, e *early) {
	for _, j := range []int{i - 1, i} {
		if j < 0 || j >= len(h.early) {
			continue
		}
		o := &h.early[j]
		at := after(o.seq, e.seq) // of e in o
		a, b := o.octets, e.octets
		if at >= 0 {
			a = a[min(at, len(a)):]
		} else {
			b = b[min(-at, len(b)):]
		}
		if n := min(len(a), len(b)); !bytes.Equal(a[:n], b[:n]) {
			c.Flags |= Ambiguous
		}
	}
}

// acknowledged notes that the other end has the octets of dir up to ack.
func (c *conversation) acknowledged(dir proto.Direction, ack uint32) {
	h := &c.half[dir]
	if !h.heard || after(h.acked, ack) > 0 {
		h.heard, h.acked = true, ack
	}
	for len(h.early) > 0 && c.lost(dir) {
		c.skip(dir)
	}
}

// finish tells the end of a direction, if all in front of it was told.
func (c *conversation) finish(dir proto.Direction) {
	h := &c.half[dir]
	if !h.ends || h.ended || after(h.next, h.fin) > 0 {
		return
	}
	h.ended = true
	c.release(h)
	if c.stream != nil {
		c.stream.End(dir)
	}
}

// flush tells what waits, with its gaps: no more octets come. A FIN whose octets in front
// are missing ends the direction.
func (c *conversation) flush() {
	for _, dir := range []proto.Direction{proto.ClientToOrigin, proto.OriginToClient} {
		h := &c.half[dir]
		for len(h.early) > 0 && !h.ended {
			c.skip(dir)
		}
		if n := after(h.next, h.fin); h.ends && !h.ended && h.began && n > 0 {
			if h.heard && after(h.fin, h.acked) >= 0 { // the other end has them
				h.next = h.fin
				c.gap(dir, n)
			}
		}
		c.finish(dir)
		c.release(h)
	}
}

// release forgets what waits.
func (c *conversation) release(h *half) {
	c.table.held -= h.held
	h.early, h.held = nil, 0
}
