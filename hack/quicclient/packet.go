// Package quicclient makes the first datagrams of QUIC clients (RFC 9000, RFC 9001, RFC
// 9369), for tests. It shares no code with what reads them.
package quicclient

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Versions of QUIC.
const (
	Version1 = 1
	Version2 = 0x6b3343cf
)

// Packet is a packet with a long header.
type Packet struct {
	Version     uint32 // 0 is version 1
	Type        byte   // 0: Initial, 1: 0-RTT, 2: Handshake, whatever the version calls that
	Destination []byte // connection ID
	Source      []byte // connection ID
	Token       []byte
	Number      uint64
	Length      int    // of the packet number; 0: 4 octets
	Frames      []byte // at least 3 octets
	Original    []byte // connection ID that keys come from; nil: Destination
	Clear       bool   // the fixed bit is clear
}

// Seal returns the packet as it is sent, protected by the client's Initial keys.
func (p *Packet) Seal() []byte {
	version := p.Version
	if version == 0 {
		version = Version1
	}
	length := p.Length
	if length == 0 {
		length = 4
	}
	kind := p.Type
	if version == Version2 {
		kind = (kind + 1) & 3
	}
	b := []byte{0xc0 | kind<<4 | byte(length-1)}
	if p.Clear {
		b[0] &^= 0x40
	}
	b = binary.BigEndian.AppendUint32(b, version)
	b = append(append(b, byte(len(p.Destination))), p.Destination...)
	b = append(append(b, byte(len(p.Source))), p.Source...)
	if p.Type == 0 {
		b = append(Varint(b, uint64(len(p.Token))), p.Token...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(0x4000|length+len(p.Frames)+16))
	at := len(b)
	for i := range length {
		b = append(b, byte(p.Number>>(8*(length-1-i))))
	}

	original := p.Original
	if original == nil {
		original = p.Destination
	}
	key, iv, mask := Keys(version, original)
	nonce := append([]byte(nil), iv...)
	for i := range 8 {
		nonce[4+i] ^= byte(p.Number >> (8 * (7 - i)))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	b = aead.Seal(b, nonce, p.Frames, append([]byte(nil), b...))
	if block, err = aes.NewCipher(mask); err != nil {
		panic(err)
	}
	var bits [16]byte
	block.Encrypt(bits[:], b[at+4:at+20])
	b[0] ^= bits[0] & 0x0f
	for i := range length {
		b[at+i] ^= bits[1+i]
	}
	return b
}

// Keys returns key, IV and header protection key of the client's Initial packets.
func Keys(version uint32, id []byte) (key, iv, mask []byte) {
	salt, prefix := "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", "quic "
	if version == Version2 {
		salt, prefix = "0dede3def700a6db819381be6e269dcbf9bd2ed9", "quicv2 "
	}
	raw, err := hex.DecodeString(salt)
	if err != nil {
		panic(err)
	}
	secret := label(sum(raw, id), "client in", 32)
	return label(secret, prefix+"key", 16), label(secret, prefix+"iv", 12), label(secret, prefix+"hp", 16)
}

func sum(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

// label is HKDF-Expand-Label for one block of output.
func label(secret []byte, name string, length int) []byte {
	name = "tls13 " + name
	return sum(secret, append(append([]byte{0, byte(length), byte(len(name))}, name...), 0, 1))[:length]
}

// Varint appends an integer of variable length.
func Varint(b []byte, v uint64) []byte {
	switch {
	case v < 1<<6:
		return append(b, byte(v))
	case v < 1<<14:
		return binary.BigEndian.AppendUint16(b, uint16(v)|0x4000)
	case v < 1<<30:
		return binary.BigEndian.AppendUint32(b, uint32(v)|0x80000000)
	}
	return binary.BigEndian.AppendUint64(b, v|0xc0000000_00000000)
}

// Crypto returns a CRYPTO frame.
func Crypto(offset int, data []byte) []byte {
	b := Varint(Varint([]byte{6}, uint64(offset)), uint64(len(data)))
	return append(b, data...)
}
