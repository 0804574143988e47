package conformance

import (
	"encoding/binary"
	"math/bits"
)

// checksum adds p's 16-bit words to start and returns the ones' complement sum,
// folded and not inverted (RFC 1071). A last odd octet counts as the high half
// of a word. It takes the words in the machine-independent little-endian order
// and swaps once, RFC 1071, Section 2(B).
func checksum(start uint16, p []byte) uint16 {
	total, carry := uint64(bits.ReverseBytes16(start)), uint64(0)
	for len(p) >= 32 {
		w := (*[32]byte)(p)
		total, carry = bits.Add64(total, binary.LittleEndian.Uint64(w[0:]), carry)
		total, carry = bits.Add64(total, binary.LittleEndian.Uint64(w[8:]), carry)
		total, carry = bits.Add64(total, binary.LittleEndian.Uint64(w[16:]), carry)
		total, carry = bits.Add64(total, binary.LittleEndian.Uint64(w[24:]), carry)
		p = p[32:]
	}
	for len(p) > 0 {
		var word [8]byte
		n := copy(word[:], p)
		total, carry = bits.Add64(total, binary.LittleEndian.Uint64(word[:]), carry)
		p = p[n:]
	}
	total, carry = bits.Add64(total, 0, carry)
	total += carry
	for total>>16 != 0 {
		total = total>>16 + total&0xffff
	}
	return bits.ReverseBytes16(uint16(total))
}
