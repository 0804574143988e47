package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// Opcode is the kind of a frame (RFC 6455, Section 5.2).
type Opcode uint8

// Opcodes.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xa
)

// IsControl reports whether frames of the opcode belong to no message.
func (o Opcode) IsControl() bool { return o >= Close }

// known reports whether the RFC gives the opcode a meaning.
func (o Opcode) known() bool { return o <= Binary || o >= Close && o <= Pong }

const (
	// MaxControl is the longest payload of a control frame, in octets.
	MaxControl = 125
	// MaxHeader is the longest header of a frame, in octets.
	MaxHeader = 2 + 8 + 4
)

// Header is what stands before the payload of a frame.
type Header struct {
	Fin        bool // the frame ends its message
	Compressed bool // the message is deflated (RFC 7692, Section 6); for a loose reader only
	Opcode     Opcode
	Masked     bool
	Key        [4]byte // of the mask
	Length     int64   // of the payload, in octets
}

// parse reads the header at the beginning of p, and its size. The size is 0 if p ends
// within it. reserved are the bits that only extensions use.
func parse(p []byte) (h Header, reserved byte, size int, minimal bool) {
	if len(p) < 2 {
		return h, 0, 0, true
	}
	h.Fin, reserved, h.Opcode = p[0]&0x80 != 0, p[0]&0x70, Opcode(p[0]&0x0f)
	h.Masked, h.Length = p[1]&0x80 != 0, int64(p[1]&0x7f)
	size, minimal = 2, true
	switch {
	case h.Length == 126 && len(p) < 4, h.Length == 127 && len(p) < 10:
		return h, reserved, 0, true
	case h.Length == 126:
		h.Length = int64(binary.BigEndian.Uint16(p[2:]))
		size, minimal = 4, h.Length > 125
	case h.Length == 127:
		h.Length = int64(binary.BigEndian.Uint64(p[2:]))
		size, minimal = 10, h.Length > 0xffff // negative: the highest bit is set
	}
	if h.Masked {
		if len(p) < size+4 {
			return h, reserved, 0, minimal
		}
		size += copy(h.Key[:], p[size:])
	}
	return h, reserved, size, minimal
}

// Mask masks or unmasks p, which stands at an offset in the payload (Section 5.3).
func Mask(key [4]byte, offset int64, p []byte) {
	for i := range p {
		p[i] ^= key[(offset+int64(i))&3]
	}
}

// Unmask is [Mask] from src to dst, which is as long. It changes nothing in src.
func Unmask(dst []byte, key [4]byte, offset int64, src []byte) {
	var turned [8]byte
	for i := range turned {
		turned[i] = key[(offset+int64(i))&3]
	}
	dst = dst[:len(src)]
	k, i := binary.NativeEndian.Uint64(turned[:]), 0
	for ; i+8 <= len(src); i += 8 {
		binary.NativeEndian.PutUint64(dst[i:], binary.NativeEndian.Uint64(src[i:])^k)
	}
	for ; i < len(src); i++ {
		dst[i] = src[i] ^ turned[i&7]
	}
}

// AppendFrame appends a frame to dst that is a whole message or a control frame. With a
// key, which clients need, it is masked. It does not change payload.
func AppendFrame(dst []byte, op Opcode, key *[4]byte, payload []byte) []byte {
	n, mask := len(payload), byte(0)
	if key != nil {
		mask = 0x80
	}
	dst = append(dst, 0x80|byte(op))
	switch {
	case n <= 125:
		dst = append(dst, mask|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, mask|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, mask|127), uint64(n))
	}
	if key == nil {
		return append(dst, payload...)
	}
	dst = append(append(dst, key[:]...), payload...)
	Mask(*key, 0, dst[len(dst)-n:])
	return dst
}

// CheckClose tells what is wrong with the unmasked payload of a Close frame: a code in
// two octets and a reason in UTF-8, or nothing.
func CheckClose(payload []byte) Fault {
	if len(payload) == 0 {
		return Sound
	}
	if len(payload) == 1 || !utf8.Valid(payload[2:]) {
		return BadClose
	}
	switch code := binary.BigEndian.Uint16(payload); {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return Sound
	}
	return BadClose
}

// Codes of Close frames that we send (Section 7.4.1).
const (
	ProtocolError   = 1002
	PolicyViolation = 1008
	MessageTooBig   = 1009
	InternalError   = 1011
)

// AppendClose appends a Close frame to dst. The reason has at most 123 octets.
func AppendClose(dst []byte, code uint16, reason string, key *[4]byte) []byte {
	payload := append(binary.BigEndian.AppendUint16(nil, code), reason...)
	return AppendFrame(dst, Close, key, payload)
}
