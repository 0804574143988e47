// Package checksum computes the Internet checksum of RFC 1071 on 64-bit words.
package checksum

import (
	"encoding/binary"
	"math/bits"
)

// Sum returns the ones' complement sum of p's 16-bit big-endian words, folded
// to 16 bits and not inverted. A last odd octet counts as the high half of a
// word. Sums of parts can be added when every part but the last has an even
// length. Sum does not allocate.
//
// RFC 1071, Section 2(B): the sum does not depend on the byte order in which it
// is taken, so the words are loaded little-endian and only the result is
// swapped.
func Sum(p []byte) uint16 {
	var sum, carry uint64
	for len(p) >= 64 {
		w := (*[64]byte)(p)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(w[0:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(w[8:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(w[16:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(w[24:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(w[32:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(w[40:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(w[48:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(w[56:]), carry)
		p = p[64:]
	}
	for len(p) >= 8 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p), carry)
		p = p[8:]
	}
	var last uint64
	for i, octet := range p {
		last |= uint64(octet) << (8 * i)
	}
	sum, carry = bits.Add64(sum, last, carry)
	sum, carry = bits.Add64(sum, 0, carry)
	return bits.ReverseBytes16(Fold(sum + carry))
}

// Fold adds up the four 16-bit words of sum with end-around carry.
func Fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff // at most 33 bits
	sum = sum>>16 + sum&0xffff     // at most 18 bits
	sum = sum>>16 + sum&0xffff     // at most 17 bits
	return uint16(sum>>16 + sum&0xffff)
}
