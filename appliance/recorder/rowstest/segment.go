package rowstest

import "encoding/binary"

// Segment cuts frames of IPv4 so that no segment of TCP has more than n octets. The
// checksums of TCP are not made again.
func Segment(frames []Frame, n int) (out []Frame) {
	const ip = 14
	for _, f := range frames {
		p := f.Octets
		tcp := ip + int(p[ip]&15)*4
		head := tcp + int(p[tcp+12]>>4)*4
		rest, seq := p[head:], binary.BigEndian.Uint32(p[tcp+4:])
		for len(rest) > n {
			out = append(out, Frame{segment(p[:head], rest[:n], seq, true), f.At})
			rest, seq = rest[n:], seq+uint32(n)
		}
		out = append(out, Frame{segment(p[:head], rest, seq, false), f.At})
	}
	return out
}

// segment returns a frame with these headers and this payload. more says that others of the
// same frame follow.
func segment(head, payload []byte, seq uint32, more bool) []byte {
	const ip = 14
	p := append(append(make([]byte, 0, len(head)+len(payload)), head...), payload...)
	tcp := ip + int(p[ip]&15)*4
	binary.BigEndian.PutUint16(p[ip+2:], uint16(len(p)-ip))
	binary.BigEndian.PutUint16(p[ip+10:], 0)
	binary.BigEndian.PutUint16(p[ip+10:], checksum(p[ip:tcp]))
	binary.BigEndian.PutUint32(p[tcp+4:], seq)
	if more {
		p[tcp+13] &^= 1 | 8 // FIN, PSH
	}
	return p
}

// checksum is that of a header of IPv4 (RFC 1071).
func checksum(header []byte) uint16 {
	var sum uint32
	for ; len(header) > 1; header = header[2:] {
		sum += uint32(binary.BigEndian.Uint16(header))
	}
	sum = sum&0xffff + sum>>16
	return ^uint16(sum&0xffff + sum>>16)
}
