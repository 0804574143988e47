package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"sync"
)

// digest is a SHA-256 value, the key of both caches.
type digest [sha256.Size]byte

// ChainHash returns the SHA-256 of the certificates' DER, one after the other,
// as 64 hexadecimal digits. It is what links an audit entry to what the origin
// presented.
func ChainHash(chain []*x509.Certificate) string {
	h := sha256.New()
	for _, cert := range chain {
		h.Write(cert.Raw)
	}
	return hex.EncodeToString(h.Sum(nil))
}

type hashState struct {
	hash hash.Hash
	buf  []byte
}

var hashStates = sync.Pool{New: func() any { return &hashState{hash: sha256.New()} }}

// chainKey hashes a fact word, a name, a chain and what comes with it. The name
// carries its length and a DER value does too, so that different inputs never
// run into the same octets, if the facts tell how many certificates there are
// where more follows. It does not allocate in the steady state.
func chainKey(facts uint32, name string, chain []*x509.Certificate, more ...[]byte) digest {
	s := hashStates.Get().(*hashState)
	defer hashStates.Put(s)
	s.hash.Reset()
	s.buf = binary.BigEndian.AppendUint32(s.buf[:0], facts)
	s.buf = binary.BigEndian.AppendUint32(s.buf, uint32(len(name)))
	s.buf = append(s.buf, name...)
	s.hash.Write(s.buf)
	for _, cert := range chain {
		s.hash.Write(cert.Raw)
	}
	for _, octets := range more {
		s.hash.Write(octets)
	}
	var d digest
	s.buf = s.hash.Sum(s.buf[:0])
	copy(d[:], s.buf)
	return d
}

// derLen sums the octets of a chain's DER.
func derLen(chain []*x509.Certificate) int64 {
	var n int64
	for _, cert := range chain {
		n += int64(len(cert.Raw))
	}
	return n
}
