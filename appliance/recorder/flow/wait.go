package flow

import "github.com/clearspan/clearspan/decrypt/proto"

// lost reports whether the octets in front of those that wait will not come any more: the
// other end has them, or has sent them, and they were not captured. Segments of both
// directions may be captured in another order, hence some patience.
func (c *conversation) lost(dir proto.Direction) bool {
	h := &c.half[dir]
	gone := h.heard && after(h.early[0].seq, h.acked) >= 0 || c.behind(dir, h.early[0].ack)
	return gone && (len(h.early) >= patientParts || c.turns >= patientTurns || c.table.clock.now.Sub(h.since) > patientFor)
}

// skip tells the gap in front of what waits, and what waits. If that was sent behind octets of
// the other end, it tells those, or the gap in their place, instead.
func (c *conversation) skip(dir proto.Direction) {
	h, o := &c.half[dir], &c.half[dir.Opposite()]
	c.turns = 0
	if c.behind(dir, h.early[0].ack) && len(o.early) > 0 && (!c.behind(dir.Opposite(), o.early[0].ack) || o.early[0].order < h.early[0].order) {
		dir, h, o = dir.Opposite(), o, h
	}
	e := &h.early[0]
	n := 0
	if c.behind(dir, e.ack) {
		// The word of one end alone makes no gap where the other one is captured: it may be
		// a lie.
		if len(o.early) > 0 {
			n = min(after(o.next, e.ack), after(o.next, o.early[0].seq))
		} else if c.Counts[dir.Opposite()].Packets == 0 { // nothing of that end was captured
			n = after(o.next, e.ack)
		}
		c.lose(dir.Opposite(), n)
	} else {
		n = after(h.next, e.seq)
		c.lose(dir, n)
	}
	if !c.drain(dir) && n <= 0 {
		if len(o.early) == 0 {
			o.tired, o.vain = true, e.ack
		}
		c.lose(dir, after(h.next, e.seq))
		c.first(dir) // or each end says that it spoke behind the other one
		c.drain(dir)
	}
}

// lose tells a gap of n octets, if there is one.
func (c *conversation) lose(dir proto.Direction, n int) {
	if n > 0 {
		c.half[dir].next += uint32(n)
		c.gap(dir, n)
	}
}

// drain tells what waits and is next, of both directions in the order in which it came. It
// reports whether there was anything.
func (c *conversation) drain(dir proto.Direction) (told bool) {
	for ; ; told = true {
		h, o := &c.half[dir], &c.half[dir.Opposite()]
		mine := len(h.early) > 0 && after(h.next, h.early[0].seq) <= 0 && !c.behind(dir, h.early[0].ack)
		theirs := len(o.early) > 0 && after(o.next, o.early[0].seq) <= 0 && !c.behind(dir.Opposite(), o.early[0].ack)
		switch {
		case theirs && (!mine || o.early[0].order < h.early[0].order):
			c.first(dir.Opposite())
		case mine:
			c.first(dir)
		default:
			return told
		}
	}
}

// first tells the first segment that waits of a direction.
func (c *conversation) first(dir proto.Direction) {
	h := &c.half[dir]
	e := h.early[0]
	h.early[0].octets = nil
	if h.early = h.early[1:]; len(h.early) == 0 {
		h.early = nil
	}
	h.held -= len(e.octets)
	c.table.held -= len(e.octets)
	h.since = c.table.clock.now
	if known := after(e.seq, h.next); known < e.length {
		c.tell(dir, e.octets[min(known, len(e.octets)):], e.length-known)
	}
}
