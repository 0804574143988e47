package wire

import (
	"encoding/binary"
	"errors"
)

// Offsets and lengths of headers: Ethernet, RFC 791, RFC 8200, RFC 9293.
const (
	etherHeader = 14
	ipv4Header  = 20
	ipv6Header  = 40
	tcpHeader   = 20
)

var errFrame = errors.New("read frame: not a whole TCP frame")

// frame is an untagged Ethernet frame with TCP in it, as the programs hand it
// over: without IPv4 options or IPv6 extension headers.
type frame struct {
	octets   []byte
	v6       bool
	tcp      int // offset of the TCP header
	body     int // offset of the payload
	end      int // of the payload; padding may follow
	seq, ack uint32
	window   uint16
	flags    byte
}

// parseFrame reads headers. The frame borrows b.
func parseFrame(b []byte) (frame, error) {
	f := frame{octets: b}
	if len(b) < etherHeader+ipv4Header+tcpHeader {
		return f, errFrame
	}
	ip := b[etherHeader:]
	switch binary.BigEndian.Uint16(b[12:]) {
	case 0x0800:
		if ip[0] != 0x45 || ip[9] != 6 {
			return f, errFrame
		}
		f.tcp = etherHeader + ipv4Header
		f.end = etherHeader + int(binary.BigEndian.Uint16(ip[2:]))
	case 0x86dd:
		if ip[0]>>4 != 6 || ip[6] != 6 {
			return f, errFrame
		}
		f.v6 = true
		f.tcp = etherHeader + ipv6Header
		f.end = f.tcp + int(binary.BigEndian.Uint16(ip[4:]))
	default:
		return f, errFrame
	}
	if f.end > len(b) || f.end < f.tcp+tcpHeader {
		return f, errFrame
	}
	h := b[f.tcp:f.end]
	f.body = f.tcp + int(h[12]>>4)*4
	if f.body < f.tcp+tcpHeader || f.body > f.end {
		return f, errFrame
	}
	f.seq, f.ack = binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
	f.flags, f.window = h[13], binary.BigEndian.Uint16(h[14:])
	return f, nil
}

// payload returns the TCP payload, part of the frame.
func (f *frame) payload() []byte { return f.octets[f.body:f.end] }

// timestamp returns the sender's timestamp value (RFC 7323, Section 3), 0 if
// there is none.
func (f *frame) timestamp() uint32 {
	return readOptions(f.octets[f.tcp+tcpHeader : f.body]).tsval
}

// pseudoSum is the sum of the pseudo header and length, not folded.
func (f *frame) pseudoSum() uint32 {
	b, length := f.octets, f.end-f.tcp
	sum := uint32(6) + uint32(length&0xffff) + uint32(length>>16)
	if f.v6 {
		return sum + wordSum(b[etherHeader+8:etherHeader+40])
	}
	return sum + wordSum(b[etherHeader+12:etherHeader+20])
}

// setChecksum writes the TCP checksum. For a frame that is several segments it
// writes the sum of the pseudo header alone, which whoever cuts it completes.
func (f *frame) setChecksum(partial bool) {
	at := f.octets[f.tcp+16:]
	at[0], at[1] = 0, 0
	sum := f.pseudoSum()
	if !partial {
		sum += wordSum(f.octets[f.tcp:f.end])
	}
	folded := fold(sum)
	if !partial {
		folded = ^folded
	}
	binary.BigEndian.PutUint16(at, folded)
}

// wordSum adds 16-bit words (RFC 1071); b has at most 64 KiB.
func wordSum(b []byte) (sum uint32) {
	for len(b) >= 2 {
		sum += uint32(b[0])<<8 | uint32(b[1])
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
