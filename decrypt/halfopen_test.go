package decrypt

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

func TestPendingCounts(t *testing.T) {
	var p halfOpen
	addr := netip.MustParseAddr
	for _, tt := range []struct {
		client string
		want   bool
	}{
		{"192.0.2.1", true}, {"::ffff:192.0.2.1", true}, {"192.0.2.1", false}, {"192.0.2.2", true},
		{"2001:db8::1", true}, {"2001:db8::ffff:1", true}, {"2001:db8::2", false}, {"2001:db8:0:1::1", true},
	} {
		if got := p.take(addr(tt.client), 2); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.client, got, tt.want)
		}
	}
	for _, client := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::7", "2001:db8:0:1::2"} {
		p.release(addr(client))
	}
	if len(p.by) != 0 {
		t.Errorf("%v are left", p.by)
	}
}

// TestPending has a client with two sessions that do not begin, each in another
// state. It gets no third one, and it gets one when they are over, or have begun.
func TestPending(t *testing.T) {
	for _, tt := range []struct {
		name string
		hold func(*testbed) (begin func(), end func())
	}{
		{"silent", func(b *testbed) (func(), func()) {
			c := b.dial()
			return func() { io.WriteString(c, "anything\n") }, func() { c.Close() }
		}},
		{"half a hello", func(b *testbed) (func(), func()) {
			c := b.dial()
			c.Write(hello(b.T)[:100])
			return func() { c.Write(hello(b.T)[100:]) }, func() { c.Close() }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, func(b *testbed) {
				b.cfg.Limits.Pending, b.cfg.Tap = 2, nil
			})
			begin, end := tt.hold(b)
			_, end2 := tt.hold(b)
			time.Sleep(100 * time.Millisecond)
			if third, err := net.Dial("tcp", b.front.Addr().String()); err == nil { // else the reset came first
				third.SetDeadline(time.Now().Add(10 * time.Second))
				if _, err := third.Read(make([]byte, 1)); err == nil || leg.IsTimeout(err) {
					t.Fatalf("there is a third session: %v", err)
				}
				third.Close()
			}
			if s := b.session(); s.Reason != "client-pending" || s.Outcome != Failed {
				t.Errorf("outcome %s, reason %q", s.Outcome, s.Reason)
			}
			if begin(); tt.name == "silent" {
				time.Sleep(400 * time.Millisecond) // what was said is looked at
			} else {
				end()
				b.session()
			}
			for i := range 5 { // those that have begun do not count
				c := b.client(nil)
				if err := c.Handshake(); err != nil {
					t.Fatalf("session %d: %v", i, err)
				}
				if _, err := c.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			end2()
			end()
		})
	}
}

// TestSilence has a client and an origin that say nothing, which is not to last,
// and some that say a word and nothing more, which is.
func TestSilence(t *testing.T) {
	const timeout = 500 * time.Millisecond
	for _, tt := range []struct {
		client, origin string
		greeting       string
		lasts          bool
	}{
		{}, {client: "x", lasts: true}, {origin: "x", lasts: true}, {greeting: "x", lasts: true},
	} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			done := make(chan struct{})
			b := newTestbed(t, func(_ *testbed, c net.Conn) {
				io.WriteString(c, tt.origin)
				io.Copy(io.Discard, c)
			}, func(b *testbed) {
				b.cfg.Client.SilenceTimeout, b.greeting = timeout, []byte(tt.greeting)
			})
			c := b.dial()
			io.WriteString(c, tt.client)
			start := time.Now()
			go func() {
				defer close(done)
				io.Copy(io.Discard, c)
			}()
			select {
			case <-done:
				if s := b.session(); tt.lasts || s.Reason != "client-silent" || time.Since(start) < timeout {
					t.Errorf("ended after %v: reason %q", time.Since(start), s.Reason)
				}
			case <-time.After(3 * timeout):
				if !tt.lasts {
					t.Error("goes on")
				}
				c.Close()
				b.session()
			}
		})
	}
}

// TestPendingHandshake has a client that stops behind its hello: the origin's leg
// is complete, the client's never is.
func TestPendingHandshake(t *testing.T) {
	b := newTLSTestbed(t, echo, nil, func(b *testbed) {
		b.cfg.Limits.Pending, b.cfg.Client.HandshakeTimeout, b.cfg.Tap = 1, 300*time.Millisecond, nil
	})
	c := b.dial()
	c.Write(hello(t))
	io.Copy(io.Discard, c)
	if s := b.session(); s.Reason != "client-handshake" || s.OriginTLS.Version != tls.VersionTLS13 {
		t.Errorf("reason %q (%v), origin %x", s.Reason, s.Err, s.OriginTLS.Version)
	}
	if err := b.client(nil).Handshake(); err != nil {
		t.Errorf("the next session: %v", err)
	}
}
