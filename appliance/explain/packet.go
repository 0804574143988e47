package explain

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// maxHeaders bounds the headers of one frame that are looked at, tunnels in tunnels
// included.
const maxHeaders = 32

// segment is the TCP segment in a frame, with the addresses next to it: those of the
// innermost packet, if the frame comes through a tunnel.
type segment struct {
	from, to      netip.AddrPort
	sequence      uint32
	fin, syn, rst bool
	ack           bool
	payload       []byte // part of the frame
}

// walker walks over the headers of a frame.
type walker struct {
	left     int // headers
	src, dst netip.Addr
	found    segment
}

var big = binary.BigEndian

// innermost returns the TCP segment in a frame of a link type; false if it holds none,
// or a fragment. It borrows frame.
func innermost(link uint16, frame []byte) (segment, bool) {
	w := walker{left: maxHeaders}
	read := linkOf(link)
	return w.found, read != nil && read(&w, frame) && w.src.IsValid()
}

// skip returns what follows n octets; false if there are not as many.
func skip(b []byte, n int) ([]byte, bool) {
	if n > len(b) {
		return nil, false
	}
	return b[n:], true
}

func (w *walker) ethernet(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	return w.ether(big.Uint16(b[12:]), b[14:])
}

// ether takes what follows an EtherType, or a length of IEEE 802.3.
func (w *walker) ether(kind uint16, b []byte) bool {
	if w.left--; w.left < 0 {
		return false
	}
	switch kind {
	case 0x0800, 0x86dd:
		return w.ip(b)
	case 0x8100, 0x88a8, 0x9100, 0x9200: // tags of IEEE 802.1Q, 802.1ad and before it
		return w.tagged(b, 4)
	case 0x893f: // IEEE 802.1BR
		return w.tagged(b, 8)
	case 0x88e7: // IEEE 802.1ah
		return len(b) >= 4 && w.ethernet(b[4:])
	case 0x8847, 0x8848:
		return w.mpls(b)
	case 0x6558: // transparent Ethernet bridging
		return w.ethernet(b)
	case 0x8864: // PPPoE (RFC 2516, Section 4)
		return len(b) >= 6 && w.ppp(b[6:])
	case 0x880b:
		return w.ppp(b)
	}
	snap := kind < 0x0600 && bytes.HasPrefix(b, []byte("\xaa\xaa\x03\x00\x00\x00"))
	return snap && w.tagged(b, 8)
}

// tagged takes a header of n octets that ends in an EtherType.
func (w *walker) tagged(b []byte, n int) bool {
	return len(b) >= n && w.ether(big.Uint16(b[n-2:]), b[n:])
}

// mpls takes labels (RFC 3032), and what the first octet behind them tells.
func (w *walker) mpls(b []byte) bool {
	for len(b) >= 4 {
		if w.left--; w.left < 0 {
			return false
		}
		bottom := b[2]&1 != 0
		if b = b[4:]; !bottom {
			continue
		}
		switch {
		case len(b) == 0:
			return false
		case b[0]>>4 == 4, b[0]>>4 == 6:
			return w.ip(b)
		case b[0]>>4 == 0 && len(b) >= 4: // control word (RFC 4385)
			return w.ethernet(b[4:])
		}
		return w.ethernet(b)
	}
	return false
}

// ppp takes a frame of PPP, with or without address and control (RFC 1661, RFC 1662).
func (w *walker) ppp(b []byte) bool {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	if len(b) < 2 {
		return false
	}
	kind, b := uint16(b[0]), b[1:]
	if kind&1 == 0 {
		kind, b = kind<<8|uint16(b[0]), b[1:]
	}
	switch kind {
	case 0x0021, 0x0057:
		return w.ip(b)
	case 0x0281, 0x0283:
		return w.mpls(b)
	}
	return false
}

// ip takes a packet of either version.
func (w *walker) ip(b []byte) bool {
	if w.left--; w.left < 0 || len(b) < 20 {
		return false
	}
	switch b[0] >> 4 {
	case 4:
		return w.ip4(b)
	case 6:
		return w.ip6(b)
	}
	return false
}

func (w *walker) ip4(b []byte) bool {
	size, length := int(b[0]&15)*4, int(big.Uint16(b[2:]))
	if length == 0 { // a segment that offload left whole
		length = len(b)
	}
	if size < 20 || size > length || size > len(b) || big.Uint16(b[6:])&0x1fff != 0 {
		return false
	}
	w.src, w.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	return w.transport(b[9], b[size:min(length, len(b))])
}

func (w *walker) ip6(b []byte) bool {
	if len(b) < 40 {
		return false
	}
	w.src, w.dst = netip.AddrFrom16([16]byte(b[8:24])).Unmap(), netip.AddrFrom16([16]byte(b[24:40])).Unmap()
	next, length := b[6], int(big.Uint16(b[4:]))
	b = b[40:]
	if length > 0 && length < len(b) {
		b = b[:length]
	}
	return w.transport(next, b)
}

// transport takes what follows an IP header: extension headers (RFC 8200, Section 4),
// tunnels and TCP.
func (w *walker) transport(kind byte, b []byte) bool {
	if w.left--; w.left < 0 || len(b) < 4 {
		return false
	}
	size := 0
	switch kind {
	case 6:
		return w.tcp(b)
	case 4, 41:
		return w.ip(b)
	case 17:
		return w.udp(b)
	case 47:
		return w.gre(b)
	case 97: // EtherIP (RFC 3378)
		return w.ethernet(b[2:])
	case 137:
		return w.mpls(b)
	case 0, 43, 60:
		size = 8 + 8*int(b[1])
	case 44:
		if big.Uint16(b[2:])&0xfff8 != 0 {
			return false
		}
		size = 8
	case 51: // RFC 4302
		size = 4 * (int(b[1]) + 2)
	default:
		return false
	}
	rest, ok := skip(b, size)
	return ok && w.transport(b[0], rest)
}

func (w *walker) tcp(b []byte) bool {
	if len(b) < 20 {
		return false
	}
	size := int(b[12]>>4) * 4
	if size < 20 || size > len(b) {
		return false
	}
	w.found = segment{
		from: netip.AddrPortFrom(w.src, big.Uint16(b)), to: netip.AddrPortFrom(w.dst, big.Uint16(b[2:])),
		sequence: big.Uint32(b[4:]), fin: b[13]&1 != 0, syn: b[13]&2 != 0, rst: b[13]&4 != 0, ack: b[13]&16 != 0,
		payload: b[size:],
	}
	return true
}
