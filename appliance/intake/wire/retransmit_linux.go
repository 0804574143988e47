package wire

import (
	"encoding/binary"
	"time"
)

// passingFlow is a flow that may pass. Its origin gets the octets that were judged in
// segments of ours, so that nobody has it read others in their place. The programs
// let go of the flow when it has acknowledged them.
type passingFlow struct {
	template     *heldFrame // whose headers the segments have
	seq          uint32
	flight       []byte
	fin          bool // the client's stream ends behind it
	mss          int  // payload of a segment at most
	retransmitAt time.Time
	rto          time.Duration
}

// passingFlows are flows that may pass, until their origins have acknowledged what was
// judged. Their number and octets are bounded: an origin that acknowledges nothing
// keeps what it was sent for as long as it is repeated.
type passingFlows struct {
	limits  shardLimits
	byTuple map[kernelTuple]*passingFlow
	octets  int // that all keep
}

// fits reports whether a flow with so many octets may be added.
func (p *passingFlows) fits(octets int) bool {
	return len(p.byTuple) < p.limits.flows && p.octets+octets <= p.limits.octets
}

// add takes a flow in, in place of an older one of the same ends.
func (p *passingFlows) add(t kernelTuple, g *passingFlow) {
	p.remove(t)
	if p.byTuple == nil {
		p.byTuple = make(map[kernelTuple]*passingFlow)
	}
	p.byTuple[t] = g
	p.octets += g.buffered()
}

func (p *passingFlows) remove(t kernelTuple) {
	if g := p.byTuple[t]; g != nil {
		p.octets -= g.buffered()
		delete(p.byTuple, t)
	}
}

// Bounds of what is sent again.
const (
	firstRTO = 200 * time.Millisecond // the least retransmission timeout of Linux
	maxRTO   = 8 * time.Second
)

// end is the sequence number behind everything.
func (g *passingFlow) end() uint32 {
	n := g.seq + uint32(len(g.flight))
	if g.fin {
		n++
	}
	return n
}

// buffered is how many octets the flow keeps.
func (g *passingFlow) buffered() int {
	n := len(g.flight)
	if g.template != nil {
		n += len(g.template.frame.octets)
	}
	return n
}

// startPassing sends what was judged of a flow. It returns false for a flow whose segments
// cannot be made anew.
func (l *lateListener) startPassing(t kernelTuple, p *heldFlow) bool {
	flow, err := l.program.lookup(t)
	if err != nil || flow.State != kernelStateSTATE_HELD {
		return true // reset by an end, or let go by the kernel
	}
	client, origin := flow.options()
	if client.unsupported && origin.unsupported {
		return false
	}
	g := &passingFlow{seq: p.isn + 1, flight: p.flight(), mss: int(mssOrDefault(origin.mss)), rto: firstRTO, retransmitAt: time.Now().Add(firstRTO)}
	longest := 0
	for _, h := range p.frames {
		if h.direction != toOrigin {
			continue
		}
		body := h.frame.payload()
		if h.segment > 0 {
			body = body[:min(len(body), int(h.segment))]
		}
		longest = max(longest, len(body))
		if g.template == nil {
			g.template = h
		}
		if h.frame.flags&flagFIN != 0 && h.frame.seq+uint32(len(h.frame.payload())) == g.seq+uint32(len(g.flight)) {
			g.fin = true
		}
	}
	if g.template == nil || len(g.flight) == 0 {
		return false
	}
	if !l.passing.fits(g.buffered()) {
		return true // it stays held; the client repeats itself, and it is asked about again
	}
	g.mss = max(1, min(g.mss, longest)) // the client knows how much the path takes
	done, err := l.program.change(kernelTransition{
		Tuple: t, From: uint32(kernelStateSTATE_HELD), To: uint32(kernelStateSTATE_PASSING), Isn: p.isn, End: g.end(),
	})
	if err != nil {
		return false
	}
	if !done {
		return true
	}
	l.passing.add(t, g)
	l.sendSegments(g, flow)
	return true
}

// sendSegments sends the segments of a flow.
func (l *lateListener) sendSegments(g *passingFlow, flow *kernelFlow) {
	if err := l.injector.setMark(markJudged); err != nil {
		l.log.Debug("segments not sent", "err", err)
		return
	}
	for at := 0; at < len(g.flight); at += g.mss {
		body := g.flight[at:min(at+g.mss, len(g.flight))]
		last := at+len(body) == len(g.flight)
		if err := l.injector.send(g.segment(flow, g.seq+uint32(at), body, last)); err != nil {
			l.log.Debug("segment not sent", "err", err) // it is sent again
		}
	}
}

// retransmit sends again what was not acknowledged. A flow that is gone, or has been let
// go, is forgotten, and so is one whose origin does not answer.
func (l *lateListener) retransmit(now time.Time) {
	for t, g := range l.passing.byTuple {
		if now.Before(g.retransmitAt) {
			continue
		}
		flow, err := l.program.lookup(t)
		if err != nil || flow.State != kernelStateSTATE_PASSING || flow.End != g.end() || g.rto > maxRTO {
			l.passing.remove(t)
			continue
		}
		l.beat()
		g.rto *= 2
		g.retransmitAt = now.Add(g.rto)
		l.sendSegments(g, flow)
	}
}

// Flags of a TCP header, RFC 9293, Section 3.1.
const (
	flagFIN = 0x01
	flagPSH = 0x08
	flagACK = 0x10
	flagURG = 0x20
)

// segment makes a frame of the client with the given payload. It looks as the one
// that was held, and says what the client has said since.
func (g *passingFlow) segment(flow *kernelFlow, seq uint32, body []byte, last bool) *heldFrame {
	from := &g.template.frame
	out, back := &flow.Sides[toOrigin], &flow.Sides[toClient]
	var stamp []byte
	if out.Stamped != 0 && back.Stamped != 0 {
		tsval := out.Tsval
		if t := from.timestamp(); int32(t-tsval) > 0 {
			tsval = t
		}
		stamp = binary.BigEndian.AppendUint32([]byte{optionNop, optionNop, optionTimestamp, 10}, tsval)
		stamp = binary.BigEndian.AppendUint32(stamp, back.Tsval)
	}
	b := append([]byte(nil), from.octets[:from.tcp+tcpHeader]...)
	b = append(append(b, stamp...), body...)
	h := *g.template
	h.segment = 0
	f := frame{octets: b, v6: from.v6, tcp: from.tcp, body: from.tcp + tcpHeader + len(stamp), end: len(b), seq: seq}
	tcp := b[f.tcp:]
	binary.BigEndian.PutUint32(tcp[4:], seq)
	ack := from.ack
	if int32(out.Acked-ack) > 0 {
		ack = out.Acked
	}
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12] = byte((tcpHeader+len(stamp))/4) << 4
	tcp[13] = flagACK
	if last {
		tcp[13] |= flagPSH
		if g.fin {
			tcp[13] |= flagFIN
		}
	}
	binary.BigEndian.PutUint16(tcp[18:], 0) // urgent pointer
	ip := b[etherHeader:]
	if f.v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(b)-f.tcp))
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(len(b)-etherHeader))
		binary.BigEndian.PutUint16(ip[10:], 0)
		binary.BigEndian.PutUint16(ip[10:], ^fold(wordSum(ip[:ipv4Header])))
	}
	h.frame = f
	return &h
}
