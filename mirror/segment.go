package mirror

import (
	"encoding/binary"

	"github.com/clearspan/clearspan/mirror/internal/checksum"
)

// Segmenter is a [Sink] behind which super-segments are cut: by the kernel, or
// by the network adapter.
//
// The frames that reach the recorder are, octet for octet, those that a sink
// without this method would have been given. A Segmenter may take a
// super-segment in part, whole segments from the first on. It then leaves in
// [Frame.Payload] what it did not take, and does not count the frame as
// delivered; see [Frame.Advance].
type Segmenter interface {
	Sink
	// SegmentLimit is the longest IP packet, in octets, that a super-segment may
	// be, 65535 at most. Not more than the MTU: none are taken at present. It may
	// change during the sink's life.
	SegmentLimit() int
}

// Segments returns how many frames f is on the medium.
func (f *Frame) Segments() int {
	if f.Segment <= 0 || len(f.Payload) <= f.Segment {
		return 1
	}
	return (len(f.Payload) + f.Segment - 1) / f.Segment
}

// WireLen returns how many octets f is on the medium, in all its segments,
// without FCS.
func (f *Frame) WireLen() int { return f.Segments()*len(f.Header) + len(f.Payload) }

// Advance takes the first n segments away from the super-segment f, as what a
// Segmenter has delivered of it; at least one must remain. It writes to
// f.Header: lengths, IPv4 identification, sequence number and sums become those
// of the rest.
func (f *Frame) Advance(n int) {
	octets := n * f.Segment
	if octets <= 0 || octets >= len(f.Payload) {
		return
	}
	f.Payload = f.Payload[octets:]
	h := f.Header
	ip, tcp := f.Layers()
	if tcp-ip == ipv6Header {
		subtract(h[ip+4:], octets)
	} else {
		subtract(h[ip+2:], octets)
		binary.BigEndian.PutUint16(h[ip+4:], binary.BigEndian.Uint16(h[ip+4:])+uint16(n))
		clear(h[ip+10 : ip+12])
		binary.BigEndian.PutUint16(h[ip+10:], ^checksum.Sum(h[ip:ip+ipv4Header]))
	}
	binary.BigEndian.PutUint32(h[tcp+4:], binary.BigEndian.Uint32(h[tcp+4:])+uint32(octets))
	// RFC 1624, Section 3: the length is part of the pseudo-header.
	sum := uint64(binary.BigEndian.Uint16(h[tcp+16:])) + uint64(^uint16(octets))
	binary.BigEndian.PutUint16(h[tcp+16:], checksum.Fold(sum))
}

func subtract(field []byte, n int) {
	binary.BigEndian.PutUint16(field, binary.BigEndian.Uint16(field)-uint16(n))
}

// Layers returns where the IP and the TCP header start in the header of a
// frame that a [Conversation] built.
func (f *Frame) Layers() (ip, tcp int) {
	ip = ethernetHeader
	if binary.BigEndian.Uint16(f.Header[12:]) == 0x8100 {
		ip += vlanTag
	}
	if f.Header[ip]>>4 == 6 {
		return ip, ip + ipv6Header
	}
	return ip, ip + ipv4Header
}
