package conformance

import "fmt"

// judgeData judges the octets of a segment, FIN included, by where they stand in
// the sequence.
func (c *Checker) judgeData(v *conversation, dir int, p *packet) {
	h := &v.halves[dir]
	seq, end := p.seq, p.seq+uint32(p.length)
	if p.flags&flagSYN != 0 {
		seq, end = seq+1, end+1
	}
	fin := p.flags&flagFIN != 0
	if seq == end && !fin {
		// What it follows did not come. If that is one octet it may be a FIN.
		if h.synced && seqBefore(h.next+1, seq) {
			c.openGap(v, dir, seq)
		}
		return
	}
	if !h.synced {
		h.synced, h.first, h.next = true, seq, seq
		if !h.ackSeen {
			h.acked, h.ackSeen = seq, true
		}
	}
	for _, rule := range []Rule{Order, Retransmission, Overlap, Conflict, AckBeforeData} {
		c.judged[rule]++
	}
	if h.fin {
		c.judgeAfterFIN(v, dir, p, seq, end)
		return
	}
	payload := p.payload
	if seqBefore(seq, h.next) {
		if seq == end {
			return // a FIN within the data: told by what follows
		}
		c.judgeOld(v, dir, payload, seq, minSeq(end, h.next), end)
		if !seqBefore(h.next, end) {
			if fin && end == h.next {
				h.fin, h.next = true, end+1
			}
			return
		}
		payload = payload[min(int(h.next-seq), len(payload)):]
		seq = h.next
	}
	if seqBefore(h.next, seq) {
		c.openGap(v, dir, seq)
	}
	if seq != end {
		c.judgeNew(v, dir, p, payload, seq, end)
	}
	if fin {
		h.fin, h.next = true, end+1
	} else {
		h.next = end
	}
}

// openGap opens a gap in front of seq.
func (c *Checker) openGap(v *conversation, dir int, seq uint32) {
	h := &v.halves[dir]
	if lost, full := h.gaps.add(gap{h.next, seq, c.now}); full {
		c.reportGap(v, dir, lost)
	}
	h.next, h.content.lost = seq, true
	if h.ring != nil {
		h.ring.from = seq
	}
}

// judgeNew judges octets that continue the direction.
func (c *Checker) judgeNew(v *conversation, dir int, p *packet, payload []byte, seq, end uint32) {
	h := &v.halves[dir]
	if h.ackSeen && seqBefore(seq, h.acked) {
		if o := c.hit(AckBeforeData, v, dir); o != nil {
			o.Text = fmt.Sprintf("%d octets were acknowledged in an earlier frame", minSeq(end, h.acked)-seq)
		}
	}
	h.octets += uint64(end - seq)
	c.report.Octets += uint64(end - seq)
	if len(payload) < int(end-seq) {
		h.content.lost = true // the capture cut it
	}
	if !v.midstream {
		c.followContent(v, dir, payload)
	}
	if h.ring == nil {
		if h.ring = c.table.newRing(); h.ring != nil {
			h.ring.from = seq
		}
	}
	if h.ring != nil {
		h.ring.add(seq, payload)
		if len(payload) < int(end-seq) {
			h.ring.from = end
		}
	}
	c.judgeUnacked(v, dir, end)
}

// judgeUnacked judges how far a direction, which ends at end now, is ahead of its
// acknowledgements, and of the peer's window.
func (c *Checker) judgeUnacked(v *conversation, dir int, end uint32) {
	h, peer := &v.halves[dir], &v.halves[1-dir]
	if peer.frames > 0 && h.ackSeen {
		c.judged[Unacked]++
		if out := end - h.acked; int32(out) > maxUnacked {
			if o := c.hit(Unacked, v, dir); o != nil {
				o.Text = fmt.Sprintf("%d octets", out)
			}
		}
	}
	if h.edgeSeen {
		c.judged[Window]++
		c.judged[WindowFull]++
		if seqBefore(h.edge, end) {
			if o := c.hit(Window, v, dir); o != nil {
				o.Text = fmt.Sprintf("%d octets beyond it", end-h.edge)
			}
		} else if h.edge == end {
			if o := c.hit(WindowFull, v, dir); o != nil {
				o.Text = "the last octet is the last one allowed"
			}
		}
	}
}

// judgeOld judges octets from seq to upTo, which lie before the direction's last
// one; the segment goes to end.
func (c *Checker) judgeOld(v *conversation, dir int, payload []byte, seq, upTo, end uint32) {
	h := &v.halves[dir]
	ahead := h.ackSeen && seqBefore(seq, h.acked)
	filled, lost, full := h.gaps.fill(seq, upTo)
	if full {
		c.reportGap(v, dir, lost)
	}
	if filled > 0 {
		h.octets += uint64(filled)
		c.report.Octets += uint64(filled)
		if o := c.hit(Order, v, dir); o != nil {
			o.Text = fmt.Sprintf("%d octets of a gap come late", filled)
		}
		if ahead {
			if o := c.hit(AckBeforeData, v, dir); o != nil {
				o.Text = fmt.Sprintf("%d octets were acknowledged in an earlier frame", filled)
			}
		}
		return
	}
	old := payload[:min(int(upTo-seq), len(payload))]
	rule, why := Retransmission, "octets again"
	switch {
	case h.ring != nil && h.ring.differs(seq, h.next, old):
		rule, why = Conflict, "octets again, and they differ"
	case end != upTo:
		rule = Overlap
	}
	if o := c.hit(rule, v, dir); o != nil {
		o.Text = fmt.Sprintf("%d %s", upTo-seq, why)
	}
}

// judgeAfterFIN judges a segment of a direction that has said its FIN, at
// next - 1.
func (c *Checker) judgeAfterFIN(v *conversation, dir int, p *packet, seq, end uint32) {
	h := &v.halves[dir]
	last := h.next - 1 // the FIN
	if seqBefore(last, end) {
		if o := c.hit(AfterEnd, v, dir); o != nil {
			o.Text = fmt.Sprintf("%d octets after FIN", end-maxSeq(seq, last))
		}
		return
	}
	if seq != end {
		c.judgeOld(v, dir, p.payload, seq, end, end)
	} else if o := c.hit(Retransmission, v, dir); o != nil {
		o.Text = "FIN"
	}
}
