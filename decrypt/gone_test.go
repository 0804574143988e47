package decrypt

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// TestOriginGone has an origin that answers and closes, as web servers do after
// their last answer, and a client that still says something before it closes
// too. The origin's host answers that with a RST, when both directions have
// ended in order.
func TestOriginGone(t *testing.T) {
	const question, answer = "GET / HTTP/1.1\r\nHost: www.example.test\r\n\r\n", "that was all"
	for _, tt := range []struct {
		name   string
		action policy.Action
		secure bool // the engine terminates TLS
		tapped bool
	}{
		{"bumped", policy.Bump, true, true},
		{"plain", policy.Bump, false, true},
		{"tunnelled", policy.Tunnel, false, true},
		{"tunnelled and spliced", policy.Tunnel, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			serve := func(b *testbed, c net.Conn) {
				var conn io.ReadWriter = c
				if tt.secure {
					b.tlsOrigin(func(s *tls.Conn) { conn = s }, nil)(c)
				}
				io.ReadFull(conn, make([]byte, len(question)))
				io.WriteString(conn, answer)
				if s, ok := conn.(*tls.Conn); ok {
					s.CloseWrite()
				}
			}
			b := newTestbed(t, serve, func(b *testbed) {
				b.cfg.Policy = always(tt.action)
				if !tt.tapped {
					b.cfg.Tap = nil
				}
			})
			var c net.Conn = b.dial()
			if tt.secure {
				c = tls.Client(c, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			}
			io.WriteString(c, question)
			if got, err := io.ReadAll(c); err != nil || string(got) != answer {
				t.Errorf("read %q, %v", got, err)
			}
			io.WriteString(c, "thanks")
			time.Sleep(50 * time.Millisecond) // for the RST
			c.Close()
			if s := b.session(); s.Reason != "" {
				t.Errorf("reason %q (%v)", s.Reason, s.Err)
			}
			if !tt.tapped {
				return
			}
			for dir, how := range b.tap.ends {
				if how == nil || *how != Finished {
					t.Errorf("%v did not end in order", Direction(dir))
				}
			}
		})
	}
}
