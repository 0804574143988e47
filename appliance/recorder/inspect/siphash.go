package inspect

import (
	"encoding/binary"
	"math/bits"
)

// sipKey is the key of SipHash-2-4 (Aumasson and Bernstein, 2012). Without it, hashes of short
// values tell nothing about them.
type sipKey [2]uint64

func sipKeyOf(key [16]byte) sipKey {
	return sipKey{binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])}
}

// sum returns the hash of p.
func (k sipKey) sum(p []byte) uint64 {
	v := sipState{k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573}
	last := uint64(len(p)) << 56
	for ; len(p) >= 8; p = p[8:] {
		m := binary.LittleEndian.Uint64(p)
		v[3] ^= m
		v.round()
		v.round()
		v[0] ^= m
	}
	for i, c := range p {
		last |= uint64(c) << (8 * i)
	}
	v[3] ^= last
	v.round()
	v.round()
	v[0] ^= last
	v[2] ^= 0xff
	for range 4 {
		v.round()
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

type sipState [4]uint64

func (v *sipState) round() {
	v[0] += v[1]
	v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
	v[0] = bits.RotateLeft64(v[0], 32)
	v[2] += v[3]
	v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
	v[0] += v[3]
	v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
	v[2] += v[1]
	v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
	v[2] = bits.RotateLeft64(v[2], 32)
}
