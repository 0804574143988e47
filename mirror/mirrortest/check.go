package mirrortest

import (
	"cmp"
	"fmt"
)

// Kind names a rule that frames break.
type Kind string

const (
	BadFrame       Kind = "frame"            // does not decode, or the decoders differ
	BadSum         Kind = "checksum"         // IPv4 or TCP
	BadHandshake   Kind = "handshake"        // not SYN, SYN-ACK, ACK first
	BadOptions     Kind = "options"          // another option set than expected
	BadTimestamps  Kind = "timestamps"       // backwards, or an echo that is too old
	AckBeforeData  Kind = "ack-before-data"  // the data come later in the file than their ACK
	BadAck         Kind = "ack"              // backwards, repeated without need, or missing
	Unacked        Kind = "unacked"          // more than 64 KiB without an ACK
	Overlap        Kind = "overlap"          // part of the segment was there before
	Retransmission Kind = "retransmission"   // all of the segment was there before
	BadWindow      Kind = "window"           // full, overrun, or a multiple of the MSS
	OverMTU        Kind = "mtu"              // longer than the MSS of the SYNs allows
	Runt           Kind = "runt"             // under 60 octets: a port would pad it
	Trailer        Kind = "trailer"          // octets behind the packet
	NoEnd          Kind = "end"              // neither FIN both ways, acknowledged, nor RST
	AfterEnd       Kind = "after-end"        // data after FIN, frames after RST
	TooMany        Kind = "further-findings" // list cut
	Nonconforming  Kind = "conformance"      // a rule of package conformance
)

// Finding is one broken rule.
type Finding struct {
	Frame int // number in the capture, from 1; 0 at its end
	Kind  Kind
	Text  string
}

// String returns "frame 3: window: ...".
func (f Finding) String() string { return fmt.Sprintf("frame %d: %s: %s", f.Frame, f.Kind, f.Text) }

// maxFindings bounds the findings kept for a conversation.
const maxFindings = 100

// maxUnacked is the most that may stand unacknowledged in one direction.
const maxUnacked = 64 << 10

// half is one direction of a conversation, as its sender showed it.
type half struct {
	synced bool
	isn    uint32
	next   uint32 // after the last segment seen
	acked  uint32 // by the peer
	window uint32 // octets the sender of this half is ready to take
	scale  uint8
	mss    uint16
	tsval  uint32
	tsecr  uint32
	echoed bool // tsecr means something: RFC 7323, Section 3.2
	fin    bool
	frames int

	offset uint64 // position in the stream, gaps included
}

func before(a, b uint32) bool { return int32(a-b) < 0 }

// take judges one segment and appends its octets to the streams.
func (c *Conversation) take(s *Segment) {
	dir := 0
	if s.Source != c.Client {
		dir = 1
	}
	h, peer := &c.halves[dir], &c.halves[1-dir]
	c.Frames++
	h.frames++
	c.checkFrame(s, h, peer)
	if c.Reset {
		c.find(AfterEnd, "frame after RST")
	}
	if s.Flags&SYN != 0 {
		c.takeSYN(s, h, peer, dir)
		return
	}
	if !h.synced {
		c.find(BadHandshake, "no SYN before this segment")
		h.synced, h.isn, h.next, h.acked = true, s.Seq-1, s.Seq, s.Seq
	}
	if c.Frames == 3 && (dir != 0 || s.PayloadLen != 0 || s.Flags != ACK || s.Seq != h.isn+1 || s.Ack != peer.isn+1) {
		c.find(BadHandshake, "third frame is not the ACK of the handshake")
	}
	if s.OptionKinds != OptionsData {
		c.find(BadOptions, fmt.Sprintf("kinds %#x, want timestamps only", s.OptionKinds))
	}
	if s.Flags&(FIN|RST) == 0 && s.PayloadLen == 0 {
		c.PureACKs++
	}
	c.takeAck(s, h, peer)
	c.takeData(s, h, peer, dir)
	if s.Flags&RST != 0 {
		c.Reset = true
	}
	h.window = uint32(s.Window) << h.scale
	if h.mss > 12 {
		for _, mss := range []uint32{uint32(h.mss), uint32(h.mss) - 12} {
			if h.window%mss == 0 || uint32(s.Window)%mss == 0 {
				c.find(BadWindow, fmt.Sprintf("%d octets are a multiple of the MSS %d", h.window, mss))
			}
		}
	}
}

// checkFrame judges what does not depend on the connection's state.
func (c *Conversation) checkFrame(s *Segment, h, peer *half) {
	for _, sum := range s.BadSums {
		c.find(BadSum, sum+" checksum is wrong")
	}
	if s.FrameLen < 60 {
		c.find(Runt, fmt.Sprintf("%d octets", s.FrameLen))
	}
	if want := 14 + 4*s.Tags + s.PacketLen; s.FrameLen != want {
		c.find(Trailer, fmt.Sprintf("%d octets, packet ends at %d", s.FrameLen, want))
	}
	overhead := 40
	if s.Source.Addr().Is6() {
		overhead = 60
	}
	mss := cmp.Or(peer.mss, h.mss)
	if mtu := int(mss) + overhead; mss != 0 && s.PacketLen > mtu {
		c.find(OverMTU, fmt.Sprintf("packet of %d octets, MTU %d", s.PacketLen, mtu))
	}
	if c.mtu != 0 && s.PacketLen > c.mtu {
		c.find(OverMTU, fmt.Sprintf("packet of %d octets, MTU %d", s.PacketLen, c.mtu))
	}
	if h.frames > 1 && before(s.TSval, h.tsval) || h.echoed && before(s.TSecr, h.tsecr) {
		c.find(BadTimestamps, fmt.Sprintf("value %d after %d, echo %d after %d", s.TSval, h.tsval, s.TSecr, h.tsecr))
	}
	if peer.frames > 0 && before(s.TSecr, peer.tsval) {
		c.find(BadTimestamps, fmt.Sprintf("echo %d, peer's last value %d", s.TSecr, peer.tsval))
	}
	h.tsval, h.tsecr, h.echoed = s.TSval, s.TSecr, s.Flags&ACK != 0
}

func (c *Conversation) takeSYN(s *Segment, h, peer *half, dir int) {
	switch {
	case dir == 0 && (c.Frames != 1 || s.Flags != SYN || s.TSecr != 0 || s.Ack != 0):
		c.find(BadHandshake, "SYN is not the first frame or not plain")
	case dir == 1 && (c.Frames != 2 || s.Flags != SYN|ACK || s.Ack != peer.isn+1):
		c.find(BadHandshake, "SYN-ACK is not the second frame or does not fit the SYN")
	}
	if s.OptionKinds != OptionsSYN {
		c.find(BadOptions, fmt.Sprintf("kinds %#x on SYN", s.OptionKinds))
	}
	if s.PayloadLen != 0 {
		c.find(BadHandshake, "data on SYN")
	}
	if h.synced {
		return
	}
	h.synced, h.isn, h.next, h.acked = true, s.Seq, s.Seq+1, s.Seq+1
	h.scale, h.mss, h.window = min(s.Scale, 14), s.MSS, uint32(s.Window)
	// The window of a SYN may be a multiple of the MSS, as that of most hosts is.
}

func (c *Conversation) takeAck(s *Segment, h, peer *half) {
	if s.Flags&ACK == 0 {
		c.find(BadAck, "no ACK flag")
		return
	}
	if !peer.synced {
		peer.synced, peer.isn, peer.next, peer.acked = true, s.Ack-1, s.Ack, s.Ack
	}
	if before(s.Ack, peer.acked) {
		c.find(BadAck, fmt.Sprintf("%d after %d", s.Ack-peer.isn, peer.acked-peer.isn))
		return
	}
	if c.Frames > 3 && s.Flags == ACK && s.PayloadLen == 0 && s.Ack == peer.acked && s.Seq == h.next {
		c.find(BadAck, "repeated without need")
	}
	peer.acked = s.Ack
}

func (c *Conversation) takeData(s *Segment, h, peer *half, dir int) {
	length := uint32(s.PayloadLen)
	if s.Flags&FIN != 0 {
		length++
	}
	switch end := s.Seq + length; {
	case before(s.Seq, h.next) && before(h.next, end):
		c.find(Overlap, fmt.Sprintf("%d to %d, %d was next", s.Seq-h.isn, end-h.isn, h.next-h.isn))
		return
	case before(s.Seq, h.next):
		c.find(Retransmission, fmt.Sprintf("%d to %d, %d was next", s.Seq-h.isn, end-h.isn, h.next-h.isn))
		return
	}
	if s.Seq != h.next {
		c.gap(dir, uint64(s.Seq-h.next))
		h.next = s.Seq
	}
	if length == 0 {
		return
	}
	if h.fin {
		c.find(AfterEnd, "data after FIN")
	}
	if before(s.Seq, h.acked) {
		c.find(AckBeforeData, fmt.Sprintf("data from %d, peer acknowledged %d before", s.Seq-h.isn, h.acked-h.isn))
	}
	c.write(dir, s.Payload)
	h.fin = h.fin || s.Flags&FIN != 0
	h.next += length
	if out := h.next - h.acked; int32(out) > maxUnacked {
		c.find(Unacked, fmt.Sprintf("%d octets", out))
	}
	if peer.frames > 0 && !before(h.next, h.acked+peer.window) {
		c.find(BadWindow, fmt.Sprintf("%d octets out, window %d", h.next-h.acked, peer.window))
	}
}

// finish judges what can be told at the end only.
func (c *Conversation) finish() {
	c.frame = 0
	a, b := &c.halves[0], &c.halves[1]
	c.Ended = c.Reset || a.fin && b.fin && a.acked == a.next && b.acked == b.next
	if !c.Ended {
		c.find(NoEnd, fmt.Sprintf("FIN seen: %t, %t", a.fin, b.fin))
	}
	if c.Frames < 3 {
		c.find(BadHandshake, "incomplete")
	}
	for dir := range c.halves {
		if h := &c.halves[dir]; before(h.next, h.acked) {
			c.gap(dir, uint64(h.acked-h.next))
		}
		c.finishStream(dir)
	}
}

func (c *Conversation) find(kind Kind, text string) {
	switch n := len(c.Findings); {
	case n < maxFindings:
		c.Findings = append(c.Findings, Finding{c.frame, kind, text})
	case n == maxFindings:
		c.Findings = append(c.Findings, Finding{c.frame, TooMany, "not listed"})
	}
}
