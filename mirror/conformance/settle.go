package conformance

import "fmt"

// aloneFrames is how many frames without an answer make a running conversation
// one-sided.
const aloneFrames = 8

// settle judges what can be told when a conversation is left. closing says that
// no frame of it can follow, ended that it is over or was to be.
func (c *Checker) settle(v *conversation, ended, closing bool) {
	for dir := range v.halves {
		h := &v.halves[dir]
		c.table.recycle(h.history)
		h.history = nil
		for i := range h.holes.n {
			c.gap(v, dir, h.holes.list[i])
		}
		h.holes.n = 0
		if h.ackSeen && h.synced && before(h.next, h.acked) && (h.fin || h.acked-h.next > 1) { // 1: a FIN that is missing
			c.gap(v, dir, hole{h.next, h.acked, v.last})
		}
		if !v.reset && closing && h.answered {
			c.judged[NoAck]++
			if !h.ackSeen || !before(h.first, h.acked) {
				if o := c.hitAt(NoAck, v, dir, v.last); o != nil {
					o.Text = "no octet of this direction was acknowledged"
				}
			}
		}
		if h.octets > 0 {
			c.judged[Gap]++
		}
	}
	c.settleContent(v)
	if !closing || v.midstream && c.options.Cut {
		return
	}
	c.settleEnd(v, ended)
}

func (c *Checker) settleEnd(v *conversation, ended bool) {
	c.judged[OneSided]++
	client, origin := &v.halves[fromClient], &v.halves[fromOrigin]
	running := c.options.Cut && !ended
	alone := client.frames == 0 || origin.frames == 0
	if alone && client.octets+origin.octets > 0 && (!running || client.frames+origin.frames >= aloneFrames) {
		dir := fromClient
		if client.frames == 0 {
			dir = fromOrigin
		}
		if o := c.hitAt(OneSided, v, dir, v.last); o != nil {
			o.Text = "nothing from the other side"
		}
		return
	}
	if running {
		c.report.Open++
		return
	}
	if v.stage != complete && !v.midstream && !v.reset && !v.badStart {
		v.badStart = true
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
		case client.fin:
			o.Text = "FIN of the client only"
		case origin.fin:
			o.Text = "FIN of the origin only"
		default:
			o.Text = "neither FIN nor RST"
		}
	}
}

// gap reports octets that are missing for good.
func (c *Checker) gap(v *conversation, dir int, g hole) {
	n := g.to - g.from
	c.report.Missing += uint64(n)
	if o := c.hitAt(Gap, v, dir, g.at); o != nil {
		o.Text = fmt.Sprintf("%d octets missing, %d into the stream", n, g.from-v.halves[dir].first)
	}
}
