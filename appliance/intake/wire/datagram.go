package wire

import (
	"encoding/binary"
	"slices"
)

const (
	udpHeader = 8
	udpNumber = 17
)

// datagram is an untagged Ethernet frame with UDP in it, without IPv4 options or IPv6
// extension headers.
type datagram struct {
	octets []byte
	v6     bool
	udp    int // offset of the UDP header
	end    int // of the payload; padding may follow
}

// parseDatagram reads headers. It returns false for what no receiver takes: lengths
// that do not fit, or a wrong sum in the IPv4 header. The datagram borrows b.
func parseDatagram(b []byte) (d datagram, ok bool) {
	d.octets = b
	if len(b) < etherHeader+ipv4Header+udpHeader {
		return d, false
	}
	ip, whole := b[etherHeader:], 0
	switch binary.BigEndian.Uint16(b[12:]) {
	case 0x0800:
		if ip[0] != 0x45 || ip[9] != udpNumber || fold(wordSum(ip[:ipv4Header])) != 0xffff {
			return d, false
		}
		d.udp = etherHeader + ipv4Header
		whole = etherHeader + int(binary.BigEndian.Uint16(ip[2:]))
	case 0x86dd:
		if ip[0]>>4 != 6 || ip[6] != udpNumber {
			return d, false
		}
		d.v6 = true
		d.udp = etherHeader + ipv6Header
		whole = d.udp + int(binary.BigEndian.Uint16(ip[4:]))
	default:
		return d, false
	}
	if len(b) < d.udp+udpHeader {
		return d, false
	}
	length := int(binary.BigEndian.Uint16(b[d.udp+4:]))
	d.end = d.udp + length
	return d, length >= udpHeader && d.end <= whole && whole <= len(b)
}

// payload returns that of UDP, part of the frame.
func (d *datagram) payload() []byte { return d.octets[d.udp+udpHeader : d.end] }

// checksum adds what the UDP checksum covers; it is 0xffff with a right one.
func (d *datagram) checksum() uint16 {
	addresses := d.octets[etherHeader+12 : etherHeader+20]
	if d.v6 {
		addresses = d.octets[etherHeader+8 : etherHeader+40]
	}
	return fold(uint32(udpNumber) + uint32(d.end-d.udp) + wordSum(addresses) + wordSum(d.octets[d.udp:d.end]))
}

// checksumOK reports whether a receiver would take the UDP checksum. Over IPv4 there may be
// none (RFC 768); over IPv6 there must be one (RFC 8200, Section 8.1).
func (d *datagram) checksumOK() bool {
	if d.octets[d.udp+6] == 0 && d.octets[d.udp+7] == 0 {
		return !d.v6
	}
	return d.checksum() == 0xffff
}

// setChecksum writes the UDP checksum.
func (d *datagram) setChecksum() {
	at := d.octets[d.udp+6:]
	at[0], at[1] = 0, 0
	sum := ^d.checksum()
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(at, sum)
}

// split returns the datagrams that a frame stands for, each of so many octets of
// payload but the last one, with headers of their own. They are finished.
func (d *datagram) split(segment int) (all []datagram) {
	head := d.octets[:d.udp+udpHeader]
	id := uint16(0)
	for part := range slices.Chunk(d.payload(), segment) {
		one := datagram{octets: slices.Concat(head, part), v6: d.v6, udp: d.udp}
		one.end = len(one.octets)
		ip := one.octets[etherHeader:]
		if d.v6 {
			binary.BigEndian.PutUint16(ip[4:], uint16(one.end-one.udp))
		} else {
			binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
			binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+id)
			ip[10], ip[11] = 0, 0
			binary.BigEndian.PutUint16(ip[10:], ^fold(wordSum(ip[:ipv4Header])))
		}
		binary.BigEndian.PutUint16(one.octets[one.udp+4:], uint16(one.end-one.udp))
		one.setChecksum()
		all = append(all, one)
		id++
	}
	return all
}
