package lab

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"fmt"
)

// NewECH makes a key for Encrypted Client Hello (RFC 9849), whose owner is known by
// the public name: what clients are to know, an ECHConfigList (Section 4), and what
// a server needs.
func NewECH(publicName string) (list []byte, key tls.EncryptedClientHelloKey, err error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, key, fmt.Errorf("make key for ECH: %w", err)
	}
	vector := func(b, content []byte) []byte {
		return append(append(b, byte(len(content)>>8), byte(len(content))), content...)
	}
	contents := []byte{7, 0x00, 0x20} // config_id, DHKEM(X25519, HKDF-SHA256)
	contents = vector(contents, private.PublicKey().Bytes())
	contents = vector(contents, []byte{0, 1, 0, 1}) // HKDF-SHA256, AES-128-GCM
	contents = append(contents, 64, byte(len(publicName)))
	contents = append(contents, publicName...)
	contents = vector(contents, nil)
	config := vector([]byte{0xfe, 0x0d}, contents)
	return vector(nil, config), tls.EncryptedClientHelloKey{Config: config, PrivateKey: private.Bytes()}, nil
}
