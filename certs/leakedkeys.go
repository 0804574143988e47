package certs

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
)

// leakedKeys are authorities whose private keys anybody can download: the
// SHA-256 of their SubjectPublicKeyInfo, and where the key lies. Each was
// computed from the certificate that lies beside the key.
var leakedKeys = map[string]string{
	"c012de113a81789eb5c392c0580156bbc281f9f93e07f08cafa3329672e6993b": "the demonstration CA of goproxy (github.com/elazarl/goproxy, ca.pem)",
	"7989522d0b0789d02b0d500e89cc8f8e9fdf430616f5aa16fbb3c98a8fe23c4f": "a test CA of grpc-go (testdata/x509/client_ca_cert.pem)",
	"d8b1d52d113b01ed09e888077cb581a58ce3cca70adb6b196dcf487f221a0afd": "a test CA of grpc-go (testdata/x509/server_ca_cert.pem)",
	"389f9ede520dbc33d2aebc489246ad89e221d1ec15f693c348c58b08219367aa": "the test certificate of Go's net/http/httptest",
}

// checkNotLeaked refuses a key that is public knowledge: whoever trusts it is
// open to everybody.
func checkNotLeaked(public crypto.PublicKey) error {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return fmt.Errorf("encode public key: %v", err)
	}
	sum := sha256.Sum256(der)
	if name, ok := leakedKeys[hex.EncodeToString(sum[:])]; ok {
		return fmt.Errorf("private key is public knowledge, it is that of %s", name)
	}
	return nil
}
