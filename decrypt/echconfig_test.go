package decrypt

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"testing"
)

// echConfig is a list of one configuration for encrypted hellos (RFC 9849, Section
// 4) whose key nobody has.
func echConfig(t *testing.T) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	vector := func(b, v []byte) []byte { return append(binary.BigEndian.AppendUint16(b, uint16(len(v))), v...) }
	body := vector([]byte{7, 0x00, 0x20}, key.PublicKey().Bytes()) // identifier, DHKEM(X25519, HKDF-SHA256)
	body = vector(body, []byte{0, 1, 0, 1})                        // HKDF-SHA256, AES-128-GCM
	const name = "public.example.test"
	body = append(append(body, 32, byte(len(name))), name...)
	body = vector(body, nil)
	return vector(nil, vector([]byte{0xfe, 0x0d}, body))
}
