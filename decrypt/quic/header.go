package quic

import "encoding/binary"

// Versions of QUIC whose Initial packets can be read.
const (
	Version1 = 0x00000001 // RFC 9000
	Version2 = 0x6b3343cf // RFC 9369
)

// maxID is the length of a connection ID at most, RFC 9000, Section 17.2.
const maxID = 20

// kind is what a packet with a long header is, whatever its version calls that.
type kind uint8

const (
	kindInitial kind = iota
	kindEarly        // 0-RTT
	kindHandshake
	kindRetry
)

// header is that of a packet, as far as it is not protected. It borrows the packet.
type header struct {
	version     uint32
	kind        kind
	destination []byte // connection ID
	number      int    // offset of the packet number
	end         int    // offset behind the packet
}

// isLong reports whether a packet has a long header (RFC 8999, Section 5.1).
func isLong(b []byte) bool { return len(b) > 0 && b[0]&0x80 != 0 }

// readHeader reads the header of the packet at the beginning of b, which is long. The
// state is Whole, or Malformed, or Unsupported. A Retry is malformed: no client sends
// it. The fixed bit means nothing, since ends may agree to clear it (RFC 9287).
func readHeader(b []byte) (h header, state State) {
	r := reader(b)
	first, ok := r.take(5)
	if !ok {
		return h, Malformed
	}
	h.version = binary.BigEndian.Uint32(first[1:])
	types := first[0] >> 4 & 3
	switch h.version {
	case Version1:
		h.kind = kind(types)
	case Version2:
		h.kind = kind((types + 3) & 3) // RFC 9369, Section 3.2
	default:
		return h, Unsupported
	}
	if h.kind == kindRetry {
		return h, Malformed
	}
	if h.destination, ok = r.id(); !ok {
		return h, Malformed
	}
	if _, ok = r.id(); !ok { // source connection ID
		return h, Malformed
	}
	if h.kind == kindInitial {
		length, ok := r.varint()
		if !ok || !r.skip(length) { // token
			return h, Malformed
		}
	}
	length, ok := r.varint()
	h.number = len(b) - len(r)
	if !ok || !r.skip(length) {
		return h, Malformed
	}
	h.end = len(b) - len(r)
	return h, Whole
}

// reader takes values off its front. Its methods return false, and take nothing that
// matters, when it is too short.
type reader []byte

// take returns the next n octets, part of the reader.
func (r *reader) take(n int) (b []byte, ok bool) {
	if n < 0 || n > len(*r) {
		return nil, false
	}
	b, *r = (*r)[:n], (*r)[n:]
	return b, true
}

func (r *reader) skip(n uint64) bool {
	if n > uint64(len(*r)) {
		return false
	}
	*r = (*r)[n:]
	return true
}

// id takes a connection ID with its length.
func (r *reader) id() ([]byte, bool) {
	n, ok := r.take(1)
	if !ok || n[0] > maxID {
		return nil, false
	}
	return r.take(int(n[0]))
}

// varint takes an integer of 1, 2, 4 or 8 octets (RFC 9000, Section 16).
func (r *reader) varint() (v uint64, ok bool) {
	if len(*r) == 0 {
		return 0, false
	}
	b, ok := r.take(1 << ((*r)[0] >> 6))
	if !ok {
		return 0, false
	}
	v = uint64(b[0] & 0x3f)
	for _, c := range b[1:] {
		v = v<<8 | uint64(c)
	}
	return v, true
}
