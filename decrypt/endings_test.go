package decrypt

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// TestEndings shows that each way to end a session arrives at the other end as
// it was.
func TestEndings(t *testing.T) {
	t.Run("half-close by client", func(t *testing.T) {
		b := newTLSTestbed(t, func(c *tls.Conn) {
			got, err := io.ReadAll(c)
			if err != nil {
				t.Error(err)
			}
			c.Write(append(got, " seen"...))
			c.Close()
		}, nil, nil)
		c := b.client(nil)
		c.Write([]byte("all"))
		c.CloseWrite()
		if got, err := io.ReadAll(c); err != nil || string(got) != "all seen" {
			t.Errorf("read %q, %v", got, err)
		}
		c.Close()
		if s := b.session(); s.Reason != "" || b.tap.ends[0] == nil || *b.tap.ends[0] != Finished || *b.tap.ends[1] != Finished {
			t.Errorf("reason %q, ends %v", s.Reason, b.tap.ends)
		}
	})
	t.Run("truncation by origin stays visible", func(t *testing.T) {
		b := newTLSTestbed(t, func(c *tls.Conn) {
			c.Write([]byte("part"))
			c.NetConn().(*net.TCPConn).CloseWrite() // a FIN without close_notify
			io.Copy(io.Discard, c.NetConn())
		}, nil, nil)
		conn := b.dial()
		c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
		buf := make([]byte, 16)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "part" {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		// crypto/tls gives io.EOF for both; on the wire no alert may precede the FIN.
		rest, err := io.ReadAll(conn)
		if err != nil || len(rest) != 0 {
			t.Errorf("after the data came %x, %v; want a bare FIN", rest, err)
		}
		conn.Close()
		b.session()
	})
	t.Run("reset by client", func(t *testing.T) {
		seen := make(chan error, 1)
		b := newTLSTestbed(t, func(c *tls.Conn) {
			_, err := io.Copy(io.Discard, c)
			seen <- err
		}, nil, nil)
		conn := b.dial()
		c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
		c.Write([]byte("x"))
		time.Sleep(50 * time.Millisecond)
		conn.SetLinger(0)
		conn.Close()
		s := b.session()
		if s.Reason != "client-reset" || b.tap.ends[0] == nil || *b.tap.ends[0] != Reset {
			t.Errorf("reason %q (%v), ends %v", s.Reason, s.Err, b.tap.ends)
		}
		if err := <-seen; !leg.IsReset(err) {
			t.Errorf("origin saw %v, want a reset", err)
		}
	})
	t.Run("reset by origin", func(t *testing.T) {
		b := newTLSTestbed(t, func(c *tls.Conn) {
			c.Read(make([]byte, 1))
			c.NetConn().(*net.TCPConn).SetLinger(0)
			c.NetConn().Close()
		}, nil, nil)
		c := b.client(nil)
		c.Write([]byte("x"))
		if _, err := io.Copy(io.Discard, c); !leg.IsReset(err) {
			t.Errorf("client saw %v, want a reset", err)
		}
		if s := b.session(); s.Reason != "origin-reset" {
			t.Errorf("reason %q (%v)", s.Reason, s.Err)
		}
	})
	t.Run("origin closes at once after its last octets", func(t *testing.T) {
		want := bytes.Repeat([]byte("last octets "), 50_000)
		b := newTLSTestbed(t, func(c *tls.Conn) {
			c.Write(want)
			c.Close()
		}, nil, nil)
		c := b.client(nil)
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d octets of %d, %v", len(got), len(want), err)
		}
		c.Close()
		b.session()
	})
	t.Run("idle", func(t *testing.T) {
		b := newTLSTestbed(t, echo, nil, func(b *testbed) { b.cfg.Client.IdleTimeout = time.Second })
		c := b.client(nil)
		for range 5 { // busy in small steps: not idle
			c.Write([]byte("x"))
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
		}
		if s := b.session(); s.Reason != "idle-timeout" {
			t.Errorf("reason %q (%v)", s.Reason, s.Err)
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		b := newTLSTestbed(t, echo, nil, nil)
		c := b.client(nil)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		b.cancel()
		if s := b.session(); s.Reason != "shutdown" {
			t.Errorf("reason %q (%v)", s.Reason, s.Err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("client saw %v, want a reset", err)
		}
	})
}

// watchful is a stream that notes what is shown behind a reset. It takes its time to
// hear of one, so that the other direction has its chance.
type watchful struct {
	Stream
	reset, late *atomic.Bool
}

func (w watchful) Data(dir Direction, c Content, p []byte) {
	if w.reset.Load() {
		w.late.Store(true)
	}
	w.Stream.Data(dir, c, p)
}

func (w watchful) End(dir Direction, how Ending) {
	if how == Reset {
		w.reset.Store(true)
		time.Sleep(5 * time.Millisecond)
	}
	w.Stream.End(dir, how)
}

// TestNothingBehindReset has clients reset in the middle of a download: what is still
// on its way then is neither shown nor counted.
func TestNothingBehindReset(t *testing.T) {
	for range 20 {
		var reset, late atomic.Bool
		b := newTLSTestbed(t, func(c *tls.Conn) {
			p := make([]byte, 64<<10)
			for {
				if _, err := c.Write(p); err != nil {
					return
				}
			}
		}, nil, func(b *testbed) {
			inner := b.cfg.Tap
			b.cfg.Tap = tapFunc(func(s *Session) Stream { return watchful{inner.Open(s), &reset, &late} })
		})
		c := b.client(nil)
		if _, err := io.CopyN(io.Discard, c, 1<<20); err != nil {
			t.Fatal(err)
		}
		c.NetConn().(*net.TCPConn).SetLinger(0)
		c.NetConn().Close()
		if s := b.session(); s.Reason != "client-reset" || !reset.Load() || late.Load() {
			t.Fatalf("reason %q (%v); reset told: %t, octets shown behind it: %t", s.Reason, s.Err, reset.Load(), late.Load())
		}
	}
}
