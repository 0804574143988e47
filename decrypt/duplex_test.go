package decrypt

import (
	"crypto/tls"
	"io"
	"testing"
	"time"
)

// TestOriginReadsLate has an origin that says all it has before it reads, while
// the client says as much: more than sockets hold in either direction.
func TestOriginReadsLate(t *testing.T) {
	const size = 24 << 20
	heard := make(chan int64, 1)
	b := newTLSTestbed(t, func(c *tls.Conn) {
		c.Write(make([]byte, size))
		c.CloseWrite()
		n, _ := io.Copy(io.Discard, c)
		heard <- n
	}, nil, func(b *testbed) { b.cfg.Tap = nil })
	c := b.client(nil)
	c.SetDeadline(time.Now().Add(60 * time.Second))
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	go func() {
		c.Write(make([]byte, size))
		c.CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, c); n != size || err != nil {
		t.Errorf("client read %d octets of %d, %v", n, size, err)
	}
	if n := <-heard; n != size {
		t.Errorf("origin read %d octets of %d", n, size)
	}
	c.Close()
	if s := b.session(); s.Reason != "" {
		t.Errorf("session ended for %s, %v", s.Reason, s.Err)
	}
}
