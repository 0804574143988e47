package mirrortest

import (
	"bytes"
	"encoding/binary"

	"github.com/clearspan/clearspan/mirror"
)

// Cut returns the frames that a super-segment becomes on the medium, as
// [mirror.Frame.Segment] describes them, or a copy of f if it is none. It is
// written to be checked against, not to be fast, and shares nothing with
// package mirror.
func Cut(f *mirror.Frame) [][]byte {
	if f.Segment == 0 {
		return [][]byte{append(bytes.Clone(f.Header), f.Payload...)}
	}
	var frames [][]byte
	for at := 0; at < len(f.Payload); at += f.Segment {
		payload := f.Payload[at:min(at+f.Segment, len(f.Payload))]
		frame := append(bytes.Clone(f.Header), payload...)
		ip := frame[14:]
		if frame[12] == 0x81 {
			ip = frame[18:]
		}
		var tcp, pseudo []byte
		if ip[0]>>4 == 4 {
			tcp = ip[20:]
			binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
			binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(at/f.Segment))
			binary.BigEndian.PutUint16(ip[10:], 0)
			binary.BigEndian.PutUint16(ip[10:], internetChecksum(ip[:20]))
			pseudo = bytes.Clone(ip[12:20])
		} else {
			tcp = ip[40:]
			binary.BigEndian.PutUint16(ip[4:], uint16(len(tcp)))
			pseudo = bytes.Clone(ip[8:40])
		}
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(tcp)))
		pseudo = binary.BigEndian.AppendUint32(pseudo, 6)
		binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(at))
		if at+f.Segment < len(f.Payload) {
			tcp[13] &^= 8 | 1 // PSH, FIN
		}
		binary.BigEndian.PutUint16(tcp[16:], 0)
		binary.BigEndian.PutUint16(tcp[16:], internetChecksum(pseudo, tcp))
		frames = append(frames, frame)
	}
	return frames
}

// internetChecksum is that of RFC 1071 over several parts, of which all but the
// last have an even length.
func internetChecksum(parts ...[]byte) uint16 {
	var sum uint64
	for _, p := range parts {
		for ; len(p) >= 2; p = p[2:] {
			sum += uint64(p[0])<<8 | uint64(p[1])
		}
		if len(p) == 1 {
			sum += uint64(p[0]) << 8
		}
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
