package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"slices"
)

// suite is what a version makes of a connection ID.
type suite struct {
	salt          []byte
	key, iv, mask string // labels
}

var (
	suite1 = suite{ // RFC 9001, Sections 5.1 and 5.2
		salt: []byte("\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"),
		key:  "quic key", iv: "quic iv", mask: "quic hp",
	}
	suite2 = suite{ // RFC 9369, Section 3.3
		salt: []byte("\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"),
		key:  "quicv2 key", iv: "quicv2 iv", mask: "quicv2 hp",
	}
)

// keys open what one end of a connection protects in Initial packets.
type keys struct {
	aead cipher.AEAD
	mask cipher.Block // of header protection
	iv   [12]byte
}

// Ends, by the label of their secret.
const (
	clientEnd = "client in"
	serverEnd = "server in"
)

// newKeys derives keys from the destination connection ID of the first Initial. It
// returns nil if the cryptographic library refuses.
func newKeys(version uint32, id []byte, end string) *keys {
	s := &suite1
	if version == Version2 {
		s = &suite2
	}
	initial := hmac(s.salt, id) // HKDF-Extract, RFC 5869, Section 2.2
	secret := expand(&initial, end, sha256.Size)
	key, iv, mask := expand(&secret, s.key, 16), expand(&secret, s.iv, 12), expand(&secret, s.mask, 16)
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		return nil
	}
	k := &keys{iv: [12]byte(iv[:12])}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil
	}
	if k.mask, err = aes.NewCipher(mask[:16]); err != nil {
		return nil
	}
	return k
}

// expand is HKDF-Expand-Label without context, for at most 32 octets (RFC 8446, Section
// 7.1; RFC 5869, Section 2.3). The first length octets of the result count.
func expand(secret *[sha256.Size]byte, label string, length byte) [sha256.Size]byte {
	var info [32]byte
	b := append(info[:0], 0, length, byte(len("tls13 ")+len(label)))
	b = append(append(b, "tls13 "...), label...)
	return hmac(secret[:], append(b, 0, 1)) // no context, the first block
}

// hmac is HMAC-SHA256 (RFC 2104) of short texts. Unlike package hmac it allocates
// nothing: whoever makes up packets has us derive keys for each. key and text have at
// most 32 octets.
func hmac(key, text []byte) [sha256.Size]byte {
	var inner [sha256.BlockSize + 32]byte
	var outer [sha256.BlockSize + sha256.Size]byte
	copy(inner[:], key)
	copy(outer[:], key)
	for i := range sha256.BlockSize {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	n := copy(inner[sha256.BlockSize:], text)
	sum := sha256.Sum256(inner[:sha256.BlockSize+n])
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}

const (
	sampleAt = 4 // octets behind the packet number's beginning, RFC 9001, Section 5.4.2
	sample   = 16
)

// opener removes the protection of packets. Its buffers are used again and again.
type opener struct {
	head, plain []byte
	nonce       [12]byte
	mask        [sample]byte
}

// open removes the protection of packet b (RFC 9001, Sections 5.4 and 5.3), whose
// number is at the offset at. largest is the largest number so far, -1 for none. It
// borrows b and returns the frames, valid until the next call, or false if the packet
// is not authentic.
func (o *opener) open(k *keys, b []byte, at int, largest int64) (frames []byte, number int64, ok bool) {
	if len(b) < at+sampleAt+sample {
		return nil, 0, false
	}
	k.mask.Encrypt(o.mask[:], b[at+sampleAt:at+sampleAt+sample])
	o.head = append(o.head[:0], b[:at+sampleAt]...)
	o.head[0] ^= o.mask[0] & 0x0f
	length := int(o.head[0]&3) + 1
	o.head = o.head[:at+length]
	var truncated int64
	for i := range o.head[at:] {
		o.head[at+i] ^= o.mask[1+i]
		truncated = truncated<<8 | int64(o.head[at+i])
	}
	number = fullNumber(largest, truncated, length)
	o.nonce = k.iv
	for i := range 8 {
		o.nonce[4+i] ^= byte(number >> (56 - 8*i))
	}
	o.plain = slices.Grow(o.plain[:0], len(b))
	o.plain, ok = openAEAD(k.aead, o.plain, o.nonce[:], b[at+length:], o.head)
	return o.plain, number, ok
}

func openAEAD(aead cipher.AEAD, to, nonce, sealed, head []byte) ([]byte, bool) {
	plain, err := aead.Open(to, nonce, sealed, head)
	if err != nil {
		return to[:0], false
	}
	return plain, true
}

// fullNumber completes a packet number of length octets (RFC 9000, Appendix A.3).
func fullNumber(largest, truncated int64, length int) int64 {
	expected := largest + 1
	window := int64(1) << (8 * length)
	candidate := expected&^(window-1) | truncated
	switch {
	case candidate <= expected-window/2 && candidate < 1<<62-window:
		return candidate + window
	case candidate > expected+window/2 && candidate >= window:
		return candidate - window
	}
	return candidate
}
