package conformance

import "fmt"

// judgeFrame judges what a frame tells by itself.
func (c *Checker) judgeFrame(p *packet) {
	for _, rule := range []Rule{MTU, Runt, Padding, MACZero, MACLoopback, MACGroup, Fragment, TCPSum, PartialSum} {
		c.judged[rule]++
	}
	c.judgeAddresses(p.frame)
	c.judgeLength(p)
	if p.v6 {
		c.judged[IP6Length]++
	} else {
		c.judged[IPLength]++
		c.judged[IPSum]++
		c.judged[DF]++
		if end := p.ip + int(p.frame[p.ip]&15)*4; checksum(0, p.frame[p.ip:end]) != 0xffff {
			if o := c.hitPacket(IPSum, p); o != nil {
				o.Text = fmt.Sprintf("0x%04x is wrong", big.Uint16(p.frame[p.ip+10:]))
			}
		}
		if !p.df {
			if o := c.hitPacket(DF, p); o != nil {
				o.Text = "may be fragmented"
			}
		}
	}
	if p.complete() {
		c.judgeSum(p)
	}
}

func (c *Checker) judgeSum(p *packet) {
	pseudo := p.pseudoSum()
	got := checksum(pseudo, p.frame[p.tcp:p.end])
	if got == 0xffff {
		return
	}
	rule, why := TCPSum, "is wrong"
	if p.tcpChecksum == pseudo {
		rule, why = PartialSum, "is the pseudo header's"
	}
	if o := c.hitPacket(rule, p); o != nil {
		o.Text = fmt.Sprintf("0x%04x %s", p.tcpChecksum, why)
	}
}

// judgeAddresses looks at the MAC addresses, destination first in the frame.
func (c *Checker) judgeAddresses(frame []byte) {
	destination, source := [6]byte(frame[0:6]), [6]byte(frame[6:12])
	if source == ([6]byte{}) || destination == ([6]byte{}) {
		if o := c.hitPacket(MACZero, &c.packet); o != nil {
			o.Text = fmt.Sprintf("%x to %x", source, destination)
		}
	}
	if [4]byte(frame[0:4]) == [4]byte{2, 0, 0, 0} {
		if o := c.hitPacket(MACLoopback, &c.packet); o != nil {
			o.Text = fmt.Sprintf("destination %x", destination)
		}
	}
	if source[0]&1 != 0 {
		if o := c.hitPacket(MACGroup, &c.packet); o != nil {
			o.Text = fmt.Sprintf("source %x", source)
		}
	}
}

// judgeLength holds the lengths of frame and packet against each other and
// against the MTU.
func (c *Checker) judgeLength(p *packet) {
	if n := p.end - p.ip; n > c.options.MTU {
		if o := c.hitPacket(MTU, p); o != nil {
			o.Text = fmt.Sprintf("packet of %d octets, MTU %d", n, c.options.MTU)
		}
	}
	rule := IPLength
	if p.v6 {
		rule = IP6Length
	}
	switch {
	case p.wire < minFrame:
		if o := c.hitPacket(Runt, p); o != nil {
			o.Text = fmt.Sprintf("frame of %d octets", p.wire)
		}
	case p.wire <= minFrame+4 && p.wrong < 0: // 4: a tag put on after padding
		if o := c.hitPacket(Padding, p); o != nil {
			o.Text = fmt.Sprintf("%d octets of it", -p.wrong)
		}
		return
	}
	if p.wrong != 0 {
		if o := c.hitPacket(rule, p); o != nil {
			o.Text = fmt.Sprintf("frame has room for %d octets, the header says %d", p.wire-p.ip, p.wire-p.ip+p.wrong)
		}
	}
}
