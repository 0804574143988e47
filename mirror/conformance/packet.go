package conformance

import (
	"encoding/binary"
	"net/netip"
)

// TCP flags, RFC 9293, Section 3.1.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	_
	flagACK
)

// endpoint identifies one end of a conversation.
type endpoint struct {
	addr [16]byte
	port uint16
}

// packet is one frame taken apart. Slices are part of the frame.
type packet struct {
	frame []byte // the octets captured
	wire  int    // octets the frame had on the wire, at least len(frame)

	ip     int // offset of the IP header
	end    int // offset behind the packet, as the frame and the IP length allow
	vlan   uint16
	v6     bool
	ext    bool // IPv6 extension headers are there
	wrong  int  // IP length less what the frame has room for: > 0 too long, < 0 octets behind it
	source endpoint
	dest   endpoint

	id       uint16 // IPv4
	df       bool   // IPv4
	fragment bool

	tcp         int // offset of the TCP header; valid if TCP was decoded
	seq, ack    uint32
	flags       uint8
	window      uint16
	mss         uint16
	scale       uint8
	tsval       uint32
	hasMSS      bool
	hasScale    bool
	hasTime     bool
	length      int    // octets of payload on the wire
	payload     []byte // those of them that were captured
	tcpChecksum uint16
}

// decodeResult is what became of a frame.
type decodeResult uint8

const (
	isTCP decodeResult = iota
	isOther
	isFragment // of an IP packet: source and dest have no ports
	isBroken
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	etherVLAN = 0x8100
	etherQinQ = 0x88a8

	maxTags       = 4
	maxExtensions = 8
)

var big = binary.BigEndian

// decode takes a frame apart. why says what is broken, or names a tunnel. It does not allocate.
func (p *packet) decode(frame []byte, wire int) (o decodeResult, why string) {
	*p = packet{frame: frame, wire: max(wire, len(frame))}
	if len(frame) < 14 {
		return isBroken, "Ethernet header is incomplete"
	}
	kind, at := big.Uint16(frame[12:]), 14
	for tags := 0; kind == etherVLAN || kind == etherQinQ; tags++ {
		if tags == maxTags {
			return isOther, ""
		}
		if len(frame) < at+4 {
			return isBroken, "VLAN tag is incomplete"
		}
		p.vlan, kind, at = big.Uint16(frame[at:])&0xfff, big.Uint16(frame[at+2:]), at+4
	}
	p.ip = at
	switch kind {
	case etherIPv4:
		return p.decode4()
	case etherIPv6:
		return p.decode6()
	}
	return isOther, etherNames[kind]
}

// Names of what may hold packets of TCP that are not judged.
var (
	etherNames    = map[uint16]string{0x8847: "MPLS", 0x8848: "MPLS", 0x8864: "PPPoE", 0x88e7: "IEEE 802.1ah", 0x893f: "IEEE 802.1BR", 0x9100: "802.1Q tag of type 0x9100", 0x88e5: "MACsec"}
	protocolNames = map[uint8]string{4: "IP in IP", 41: "IPv6 in IP", 47: "GRE", 97: "EtherIP", 50: "ESP", 115: "L2TP"}
	tunnelNames   = map[uint16]string{4789: "VXLAN", 8472: "VXLAN", 4790: "VXLAN-GPE", 6081: "GENEVE", 2152: "GTP", 4754: "GRE in UDP", 6635: "MPLS in UDP", 1701: "L2TP", 3544: "Teredo", 37008: "TZSP"}
)

// tunnel names the tunnel that a packet of another protocol than TCP is of; "" for none.
func (p *packet) tunnel(protocol uint8, at int) string {
	const udp = 17
	if protocol != udp || p.fragment {
		name := protocolNames[protocol]
		if name == "GRE" && len(p.frame) >= at+4 {
			switch big.Uint16(p.frame[at+2:]) {
			case 0x88be, 0x22eb:
				return "ERSPAN"
			}
		}
		return name
	}
	if len(p.frame) < at+4 {
		return ""
	}
	return tunnelNames[big.Uint16(p.frame[at+2:])]
}

// limit sets the packet's end from the length in its header.
func (p *packet) limit(length int) {
	room := p.wire - p.ip
	p.wrong = length - room
	p.end = p.ip + min(length, room)
}

func (p *packet) decode4() (decodeResult, string) {
	h := p.frame[p.ip:]
	if len(h) < 20 {
		return isBroken, "IPv4 header is incomplete"
	}
	size := int(h[0]&15) * 4
	if h[0]>>4 != 4 || size < 20 || size > len(h) {
		return isBroken, "IPv4 header length is wrong"
	}
	length := int(big.Uint16(h[2:]))
	p.limit(length)
	if length == 0 { // a segment that offload left whole
		p.end = p.wire
	} else if length < size {
		return isBroken, "IPv4 total length is less than the header"
	}
	p.source.addr, p.dest.addr = mapped(h[12:16]), mapped(h[16:20])
	p.id, p.df = big.Uint16(h[4:]), h[6]&0x40 != 0
	p.fragment = big.Uint16(h[6:])&0x3fff != 0
	if h[9] != 6 {
		return isOther, p.tunnel(h[9], p.ip+size)
	}
	if p.fragment {
		return isFragment, ""
	}
	return p.decodeTCP(p.ip + size)
}

func mapped(a []byte) (m [16]byte) {
	m[10], m[11] = 0xff, 0xff
	copy(m[12:], a)
	return m
}

func (p *packet) decode6() (decodeResult, string) {
	h := p.frame[p.ip:]
	if len(h) < 40 {
		return isBroken, "IPv6 header is incomplete"
	}
	if h[0]>>4 != 6 {
		return isBroken, "IPv6 version is wrong"
	}
	p.v6 = true
	p.limit(40 + int(big.Uint16(h[4:])))
	copy(p.source.addr[:], h[8:24])
	copy(p.dest.addr[:], h[24:40])
	next, at := h[6], p.ip+40
	for range maxExtensions {
		switch next {
		case 6:
			return p.decodeTCP(at)
		case 0, 43, 60: // hop by hop, routing, destination options: RFC 8200, Section 4
			if len(p.frame) < at+8 {
				return isBroken, "IPv6 extension header is incomplete"
			}
			p.ext = true
			next, at = p.frame[at], at+8+8*int(p.frame[at+1])
		case 44:
			if len(p.frame) < at+8 {
				return isBroken, "IPv6 fragment header is incomplete"
			}
			p.fragment = true
			if p.frame[at] != 6 {
				return isOther, ""
			}
			return isFragment, ""
		default:
			return isOther, p.tunnel(next, at)
		}
	}
	return isOther, ""
}

func (p *packet) decodeTCP(at int) (decodeResult, string) {
	if len(p.frame) < at+20 || p.end < at+20 {
		return isBroken, "TCP header is incomplete"
	}
	h := p.frame[at:]
	size := int(h[12]>>4) * 4
	if size < 20 || at+size > p.end {
		return isBroken, "TCP data offset is wrong"
	}
	if size > len(h) {
		return isBroken, "TCP options are incomplete"
	}
	p.tcp = at
	p.source.port, p.dest.port = big.Uint16(h), big.Uint16(h[2:])
	p.seq, p.ack, p.flags, p.window = big.Uint32(h[4:]), big.Uint32(h[8:]), h[13]&0x3f, big.Uint16(h[14:])
	p.tcpChecksum = big.Uint16(h[16:])
	p.length = p.end - at - size
	p.payload = p.frame[at+size : min(p.end, len(p.frame))]
	return p.options(h[20:size])
}

// options reads RFC 9293, Section 3.1, and RFC 7323.
func (p *packet) options(o []byte) (decodeResult, string) {
	for len(o) > 0 && o[0] != 0 {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return isBroken, "TCP option runs past the header"
		}
		value := o[2:o[1]]
		switch {
		case o[0] == 2 && len(value) == 2:
			p.hasMSS, p.mss = true, big.Uint16(value)
		case o[0] == 3 && len(value) == 1:
			p.hasScale, p.scale = true, min(value[0], 14)
		case o[0] == 8 && len(value) == 8:
			p.hasTime, p.tsval = true, big.Uint32(value)
		}
		o = o[o[1]:]
	}
	return isTCP, ""
}

// complete reports whether all octets of the packet were captured and its length
// agrees with the frame, so that sums can be verified.
func (p *packet) complete() bool { return p.end <= len(p.frame) && p.wrong <= 0 && p.end > p.tcp }

// pseudoSum returns the sum of the pseudo header, RFC 9293, Section 3.1, and
// RFC 8200, Section 8.1. A routing header is not followed.
func (p *packet) pseudoSum() uint16 {
	var h [40]byte
	at := copy(h[:], p.source.addr[:])
	at += copy(h[at:], p.dest.addr[:])
	if !p.v6 { // without the mapped prefixes
		at = copy(h[:], p.source.addr[12:])
		at += copy(h[at:], p.dest.addr[12:])
		clear(h[at:])
	}
	big.PutUint32(h[at:], uint32(p.end-p.tcp))
	h[at+7] = 6
	return checksum(0, h[:at+8])
}

func (a endpoint) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.addr).Unmap(), a.port)
}
