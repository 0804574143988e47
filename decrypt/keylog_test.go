package decrypt

import (
	"bytes"
	"crypto/tls"
	"io"
	"strings"
	"testing"
)

// TestKeyLog: what a session gives away are the secrets of its two legs, and
// nothing without a writer.
func TestKeyLog(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version uint16
		keeps   bool
		want    []string // labels, for each leg
	}{
		{"TLS 1.3", tls.VersionTLS13, false, []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
			"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"}},
		{"TLS 1.2", tls.VersionTLS12, false, []string{"CLIENT_RANDOM"}},
		{"session without a writer", tls.VersionTLS13, true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got, own bytes.Buffer // the engine's, of one session; the peers'
			b := newTLSTestbed(t, echo, func(cfg *tls.Config) {
				cfg.MaxVersion, cfg.KeyLogWriter = tt.version, &own
			}, func(b *testbed) {
				b.cfg.KeyLog = func(s *Session) io.Writer {
					if s.Decision.Rule != "test" {
						t.Errorf("asked before rule %q decided", s.Decision.Rule)
					}
					if tt.keeps {
						return nil
					}
					return &got
				}
			})
			var client bytes.Buffer
			c := b.client(func(cfg *tls.Config) { cfg.KeyLogWriter = &client })
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			c.Close()
			b.session()
			for _, peer := range []string{own.String(), client.String()} {
				for line := range strings.Lines(peer) {
					if has := strings.Contains(got.String(), line); has == tt.keeps {
						t.Errorf("given away: %t: %s", has, line[:40])
					}
				}
			}
			for _, label := range tt.want {
				if n := strings.Count("\n"+got.String(), "\n"+label+" "); n != 2 {
					t.Errorf("%s stands %d times, want once a leg", label, n)
				}
			}
		})
	}
}
