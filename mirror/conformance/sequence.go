package conformance

import "fmt"

// judgeSegment judges one segment within its conversation.
func (c *Checker) judgeSegment(v *conversation, dir int, p *packet) {
	h, peer := &v.halves[dir], &v.halves[1-dir]
	c.judged[Duplicate]++
	if h.duplicate(p) {
		if o := c.hit(Duplicate, v, dir); o != nil {
			o.Text = "the same frame again"
		}
		return
	}
	h.frames++
	peer.answered = peer.answered || peer.octets > 0
	c.judgeID(v, dir, p)
	c.judged[AfterEnd]++
	if v.reset && p.length > 0 {
		if o := c.hit(AfterEnd, v, dir); o != nil {
			o.Text = fmt.Sprintf("%d octets after RST", p.length)
		}
		return
	}
	if p.flags&flagSYN != 0 {
		c.handleSYN(v, dir, p)
	} else {
		c.followHandshake(v, dir, p)
	}
	c.judgeTime(v, dir, p)
	if p.flags&flagACK != 0 {
		c.updateAck(v, peer, p)
	}
	c.judgeData(v, dir, p)
	if p.flags&flagACK != 0 {
		c.updateWindow(v, h, peer, p)
	}
	if p.flags&flagRST != 0 {
		v.reset = true
	}
	if v.ended() {
		for i := range v.halves {
			c.table.recycle(v.halves[i].ring)
			v.halves[i].ring = nil
		}
	}
}

// handleSYN judges a SYN and sets its direction's numbers.
func (c *Checker) handleSYN(v *conversation, dir int, p *packet) {
	h, peer := &v.halves[dir], &v.halves[1-dir]
	switch {
	case h.syn && h.isn == p.seq:
		c.judged[Retransmission]++
		if o := c.hit(Retransmission, v, dir); o != nil {
			o.Text = "SYN"
		}
		return
	case h.synced:
		c.breakHandshake(v, dir, "SYN in the middle")
		return
	case p.flags&flagACK == 0:
		v.stage = max(v.stage, sawSYN)
	case v.stage != sawSYN:
		c.breakHandshake(v, dir, "no SYN before this SYN-ACK")
	case p.ack != peer.first && p.ack != peer.next:
		c.breakHandshake(v, dir, "SYN-ACK acknowledges another SYN")
	default:
		v.stage = sawSYNACK
	}
	h.syn, h.synced, h.isn, h.first, h.next = true, true, p.seq, p.seq+1, p.seq+1
	h.acked, h.ackSeen = h.first, true
	h.hasScale, h.scale = p.hasScale, p.scale
	c.judgeSYN(v, dir, p)
}

func (c *Checker) judgeSYN(v *conversation, dir int, p *packet) {
	c.judged[SYNOptions]++
	header := 40
	if p.v6 {
		header = 60
	}
	why := ""
	switch {
	case !p.hasMSS:
		why = "no MSS"
	case int(p.mss)+header > c.options.MTU:
		why = fmt.Sprintf("MSS %d, MTU %d", p.mss, c.options.MTU)
	}
	if why != "" {
		if o := c.hit(SYNOptions, v, dir); o != nil {
			o.Text = why
		}
	}
	c.judged[ISN]++
	run := &c.sameISN[dir]
	if run.runs == 0 || run.isn != p.seq {
		*run = isnRun{isn: p.seq}
	}
	if run.runs++; run.runs >= constantISN {
		if o := c.hit(ISN, v, dir); o != nil {
			o.Text = fmt.Sprintf("%d for the %dth time in a row", p.seq, run.runs)
		}
	}
}

// followHandshake completes the handshake with the client's first ACK.
func (c *Checker) followHandshake(v *conversation, dir int, p *packet) {
	if v.stage == complete || v.midstream || p.flags&flagRST != 0 {
		return
	}
	origin := &v.halves[fromOrigin]
	switch {
	case v.stage == sawSYNACK && dir == fromClient && p.flags&flagACK != 0:
		v.stage = complete
		if seqBefore(p.ack, origin.first) {
			c.breakHandshake(v, dir, "first ACK does not acknowledge the SYN-ACK")
		}
		if !v.handshakeBroken {
			c.opened++
		}
	case v.handshakeBroken:
	case p.length > 0 || p.flags&flagFIN != 0:
		if v.stage == sawSYN && v.halves[1-dir].frames == 0 {
			return // one-sided, told at the end
		}
		why := "data before the SYN-ACK"
		if v.stage == sawSYNACK {
			why = "data of the origin before the client's ACK"
		}
		c.breakHandshake(v, dir, why)
		v.stage = complete
	}
}

// judgeTime looks at the timestamp of a segment that is not late.
func (c *Checker) judgeTime(v *conversation, dir int, p *packet) {
	h, peer := &v.halves[dir], &v.halves[1-dir]
	if !p.hasTime || h.synced && seqBefore(p.seq, h.next) && p.flags&flagSYN == 0 || peer.ackSeen && seqBefore(p.ack, peer.acked) {
		return
	}
	c.judged[TCPTime]++
	if h.hasTime && seqBefore(p.tsval, h.tsval) {
		if o := c.hit(TCPTime, v, dir); o != nil {
			o.Text = fmt.Sprintf("%d after %d", p.tsval, h.tsval)
		}
		return
	}
	h.hasTime, h.tsval = true, p.tsval
}

// judgeID looks for an identification that stands still.
func (c *Checker) judgeID(v *conversation, dir int, p *packet) {
	if p.v6 || p.length == 0 {
		return
	}
	h := &v.halves[dir]
	if h.ids == 0 {
		h.id = p.id
	}
	h.ids++
	h.idVaries = h.idVaries || p.id != h.id
	if h.ids != constantID {
		return
	}
	c.judged[IPID]++
	if h.idVaries {
		return
	}
	if o := c.hit(IPID, v, dir); o != nil {
		o.Text = fmt.Sprintf("%d in %d packets", p.id, constantID)
	}
}

// updateAck takes what p acknowledges of the other direction, peer.
func (c *Checker) updateAck(v *conversation, peer *halfStream, p *packet) {
	if !peer.ackSeen || seqBefore(peer.acked, p.ack) {
		peer.acked, peer.ackSeen = p.ack, true
	}
}

// updateWindow notes up to where the sender of p takes data of peer.
func (c *Checker) updateWindow(v *conversation, h, peer *halfStream, p *packet) {
	if !h.syn || !peer.syn {
		return // whether windows are scaled is not known
	}
	window := uint32(p.window)
	if p.flags&flagSYN == 0 && h.hasScale && peer.hasScale {
		window <<= h.scale
	}
	if edge := p.ack + window; !peer.edgeSeen || seqBefore(peer.edge, edge) {
		peer.edge, peer.edgeSeen = edge, true
	}
}
