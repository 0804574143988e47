package decrypt

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
)

// TestSuites has old and new clients: the origin is offered the same, whoever
// asks, and neither leg takes anything without forward secrecy or authenticated
// encryption.
func TestSuites(t *testing.T) {
	cbc := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	green := append([]uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}, handshake.GreenSuites...)
	for _, tt := range []struct {
		name           string
		client, origin func(*tls.Config)
		ok             bool
	}{
		{"today", func(*tls.Config) {}, func(*tls.Config) {}, true},
		{"client with TLS 1.2 and one suite", func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, handshake.GreenSuites[:1]
		}, func(*tls.Config) {}, true},
		{"client without a good suite", func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, cbc }, func(*tls.Config) {}, false},
		{"origin without a good suite", func(*tls.Config) {}, func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, cbc }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			offered := make(chan *tls.ClientHelloInfo, 1)
			b := newTLSTestbed(t, echo, func(c *tls.Config) {
				tt.origin(c)
				c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
					offered <- hello
					return nil, nil
				}
			}, nil)
			c := b.client(tt.client)
			err := c.Handshake()
			if (err == nil) != tt.ok {
				t.Errorf("handshake: %v", err)
			}
			c.Close()
			hello := <-offered
			for _, suite := range hello.CipherSuites {
				if !slices.Contains(green, suite) {
					t.Errorf("origin is offered %s", tls.CipherSuiteName(suite))
				}
			}
			if len(hello.CipherSuites) != len(green) || hello.SupportedVersions[0] != tls.VersionTLS13 || hello.SupportedCurves[0] != tls.X25519MLKEM768 {
				t.Errorf("offered %d suites, versions %x, groups %v", len(hello.CipherSuites), hello.SupportedVersions, hello.SupportedCurves)
			}
			b.session()
		})
	}
}
