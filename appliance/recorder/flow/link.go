package flow

// Types of links, as captures have them.
const (
	linkNull      = 0
	linkEthernet  = 1
	linkPPP       = 9
	linkRaw       = 101
	linkRawBSD    = 12
	linkRawOther  = 14
	linkLoop      = 108
	linkCooked    = 113
	linkIPv4      = 228
	linkIPv6      = 229
	linkCookedV2  = 276
	maxTags       = 8
	maxTunnels    = 4
	maxExtensions = 8
)

const (
	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	etherQinQ2 = 0x9100
	etherMPLS  = 0x8847
	etherMPLS2 = 0x8848
	etherPPPoE = 0x8864
	etherTEB   = 0x6558 // an Ethernet frame within GRE
)

// decoder unwraps frames. It holds fragments between calls.
type decoder struct {
	fragments fragments
	packet    packet
	depth     int
	alone     bool // fragments are not put together
}

// frame unwraps a frame whose octets on the wire are wire.
func (d *decoder) frame(link uint16, p []byte, wire int, now int64) verdict {
	d.packet, d.depth = packet{}, 0
	d.fragments.now = now
	cut := max(wire-len(p), 0) // octets that were not captured
	switch link {
	case linkEthernet:
		return d.ethernet(p, cut)
	case linkRaw, linkRawBSD, linkRawOther, linkIPv4, linkIPv6:
		return d.byVersion(p, cut)
	case linkNull, linkLoop: // a number of the system that captured, in its order of octets
		if len(p) < 4 {
			return broken
		}
		return d.byVersion(p[4:], cut)
	case linkCooked:
		if len(p) < 16 {
			return broken
		}
		return d.ether(big.Uint16(p[14:]), p[16:], cut)
	case linkCookedV2:
		if len(p) < 20 {
			return broken
		}
		return d.ether(big.Uint16(p), p[20:], cut)
	case linkPPP:
		if len(p) >= 4 && p[0] == 0xff && p[1] == 3 {
			p = p[2:]
		}
		return d.ppp(p, cut)
	}
	return other
}

func (d *decoder) ethernet(p []byte, cut int) verdict {
	if len(p) < 14 {
		return broken
	}
	return d.ether(big.Uint16(p[12:]), p[14:], cut)
}

// ether reads what an Ethernet type announces.
func (d *decoder) ether(kind uint16, p []byte, cut int) verdict {
	for range maxTags {
		switch kind {
		case etherVLAN, etherQinQ, etherQinQ2:
			if len(p) < 4 {
				return broken
			}
			d.packet.vlan = big.Uint16(p) & 0xfff
			kind, p = big.Uint16(p[2:]), p[4:]
		case etherIPv4:
			return d.ipv4(p, cut)
		case etherIPv6:
			return d.ipv6(p, cut)
		case etherMPLS, etherMPLS2:
			return d.mpls(p, cut)
		case etherPPPoE:
			if len(p) < 8 {
				return broken
			}
			return d.ppp(p[6:], cut)
		default:
			return other
		}
	}
	return other
}

// byVersion reads a packet whose version tells what it is.
func (d *decoder) byVersion(p []byte, cut int) verdict {
	if len(p) == 0 {
		return broken
	}
	switch p[0] >> 4 {
	case 4:
		return d.ipv4(p, cut)
	case 6:
		return d.ipv6(p, cut)
	}
	return other
}

// ppp reads a frame of PPP, RFC 1661, Section 2, behind address and control.
func (d *decoder) ppp(p []byte, cut int) verdict {
	if len(p) < 2 {
		return broken
	}
	switch big.Uint16(p) {
	case 0x21:
		return d.ipv4(p[2:], cut)
	case 0x57:
		return d.ipv6(p[2:], cut)
	}
	return other
}

// mpls passes over labels, RFC 3032, Section 2.1.
func (d *decoder) mpls(p []byte, cut int) verdict {
	for range maxTags {
		if len(p) < 5 {
			return broken
		}
		last := p[2]&1 != 0
		p = p[4:]
		if !last {
			continue
		}
		if p[0]>>4 == 0 && len(p) > 18 { // a control word, and an Ethernet frame (RFC 4448)
			return d.ethernet(p[4:], cut)
		}
		return d.byVersion(p, cut)
	}
	return other
}
