package conformance

import "fmt"

// oneSidedFrames is how many frames without an answer make a running conversation
// one-sided.
const oneSidedFrames = 8

// finish judges what can be told when a conversation is left. closing says that
// no frame of it can follow, ended that it is over or was to be.
func (c *Checker) finish(v *conversation, ended, closing bool) {
	for dir := range v.halves {
		c.finishDirection(v, dir, closing)
	}
	c.judgeContent(v)
	if !closing || v.midstream && c.options.Cut {
		return
	}
	c.judgeEnd(v, ended)
}

// finishDirection reports the gaps of a direction, and whether its octets were
// acknowledged. It gives the direction's ring back.
func (c *Checker) finishDirection(v *conversation, dir int, closing bool) {
	h := &v.halves[dir]
	c.table.recycle(h.ring)
	h.ring = nil
	for i := range h.gaps.n {
		c.reportGap(v, dir, h.gaps.list[i])
	}
	h.gaps.n = 0
	if h.ackSeen && h.synced && seqBefore(h.next, h.acked) && (h.fin || h.acked-h.next > 1) { // 1: a FIN that is missing
		c.reportGap(v, dir, gap{h.next, h.acked, v.last})
	}
	if !v.reset && closing && h.answered {
		c.judged[NoAck]++
		if !h.ackSeen || !seqBefore(h.first, h.acked) {
			if o := c.hitAt(NoAck, v, dir, v.last); o != nil {
				o.Text = "no octet of this direction was acknowledged"
			}
		}
	}
	if h.octets > 0 {
		c.judged[Gap]++
	}
}

// judgeEnd judges whether a conversation has both directions, a handshake and an end.
func (c *Checker) judgeEnd(v *conversation, ended bool) {
	c.judged[OneSided]++
	running := c.options.Cut && !ended
	if dir, oneSided := v.oneSided(running); oneSided {
		if o := c.hitAt(OneSided, v, dir, v.last); o != nil {
			o.Text = "nothing from the other side"
		}
		return
	}
	if running {
		c.report.Open++
		return
	}
	if v.stage != complete && !v.midstream && !v.reset && !v.handshakeBroken {
		v.handshakeBroken = true
		if o := c.hitAt(Handshake, v, fromClient, v.last); o != nil {
			o.Text = "incomplete"
		}
		return
	}
	c.judged[End]++
	if ended {
		return
	}
	if o := c.hitAt(End, v, fromClient, v.last); o != nil {
		switch {
		case v.halves[fromClient].fin:
			o.Text = "FIN of the client only"
		case v.halves[fromOrigin].fin:
			o.Text = "FIN of the origin only"
		default:
			o.Text = "neither FIN nor RST"
		}
	}
}

// oneSided reports whether only one direction was captured, and which.
func (v *conversation) oneSided(running bool) (dir int, yes bool) {
	client, origin := &v.halves[fromClient], &v.halves[fromOrigin]
	if client.frames > 0 && origin.frames > 0 || client.octets+origin.octets == 0 {
		return 0, false
	}
	if running && client.frames+origin.frames < oneSidedFrames {
		return 0, false
	}
	if client.frames == 0 {
		return fromOrigin, true
	}
	return fromClient, true
}

// reportGap reports octets that are missing for good.
func (c *Checker) reportGap(v *conversation, dir int, g gap) {
	n := g.to - g.from
	c.report.Missing += uint64(n)
	if o := c.hitAt(Gap, v, dir, g.at); o != nil {
		o.Text = fmt.Sprintf("%d octets missing, %d into the stream", n, g.from-v.halves[dir].first)
	}
}
