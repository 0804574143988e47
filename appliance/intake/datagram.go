package intake

import (
	"encoding/binary"
	"net/netip"
)

// Numbers of protocols and of IPv6 extension headers (RFC 8200, Section 4), and
// lengths of headers.
const (
	protocolUDP  = 17
	hopByHop     = 0
	routingHead  = 43
	destinations = 60

	ipv4Header, ipv6Header, udpHeader = 20, 40, 8
	maxExtensions                     = 8
)

// parseDatagram reads the addresses and the payload of a UDP datagram in an IP
// packet, whose end may be missing. payload is part of packet. ok is false for
// anything else, fragments included.
func parseDatagram(packet []byte) (from, to netip.AddrPort, payload []byte, ok bool) {
	if len(packet) == 0 {
		return from, to, nil, false
	}
	var source, destination netip.Addr
	var udp []byte
	switch packet[0] >> 4 {
	case 4:
		source, destination, udp = parseIPv4(packet)
	case 6:
		source, destination, udp = parseIPv6(packet)
	}
	if len(udp) < udpHeader {
		return from, to, nil, false
	}
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < udpHeader {
		return from, to, nil, false
	}
	from = netip.AddrPortFrom(source, binary.BigEndian.Uint16(udp))
	to = netip.AddrPortFrom(destination, binary.BigEndian.Uint16(udp[2:]))
	return from, to, udp[udpHeader:min(length, len(udp))], true
}

// parseIPv4 returns what follows the header of a whole packet of UDP (RFC 791,
// Section 3.1), nil for anything else.
func parseIPv4(p []byte) (source, destination netip.Addr, udp []byte) {
	if len(p) < ipv4Header || p[9] != protocolUDP {
		return source, destination, nil
	}
	header, total := int(p[0]&0xf)*4, int(binary.BigEndian.Uint16(p[2:]))
	const moreFragments, offset = 0x2000, 0x1fff
	if header < ipv4Header || total < header || len(p) < header || binary.BigEndian.Uint16(p[6:])&(moreFragments|offset) != 0 {
		return source, destination, nil
	}
	return netip.AddrFrom4([4]byte(p[12:])), netip.AddrFrom4([4]byte(p[16:])), p[header:min(total, len(p))]
}

// parseIPv6 is parseIPv4 for RFC 8200. It passes over extension headers.
func parseIPv6(p []byte) (source, destination netip.Addr, udp []byte) {
	if len(p) < ipv6Header {
		return source, destination, nil
	}
	rest := p[ipv6Header:min(ipv6Header+int(binary.BigEndian.Uint16(p[4:])), len(p))]
	next := p[6]
	for range maxExtensions {
		switch next {
		case protocolUDP:
			return netip.AddrFrom16([16]byte(p[8:])), netip.AddrFrom16([16]byte(p[24:])), rest
		case hopByHop, routingHead, destinations:
			if len(rest) < 2 {
				return source, destination, nil
			}
			length := (int(rest[1]) + 1) * 8
			if len(rest) < length {
				return source, destination, nil
			}
			next, rest = rest[0], rest[length:]
		default:
			return source, destination, nil
		}
	}
	return source, destination, nil
}
