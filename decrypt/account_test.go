package decrypt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// hello returns the octets of a ClientHello for www.example.test, ML-KEM key
// share included.
func hello(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go tls.Client(near, &tls.Config{ServerName: "www.example.test", InsecureSkipVerify: true}).Handshake()
	head := make([]byte, 5)
	if _, err := io.ReadFull(far, head); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(far, rest); err != nil {
		t.Fatal(err)
	}
	return append(head, rest...)
}

func TestTunnel(t *testing.T) {
	want := hello(t)
	for _, tapped := range []bool{false, true} {
		t.Run(fmt.Sprintf("tapped=%v", tapped), func(t *testing.T) {
			got := make(chan []byte, 1)
			b := newTestbed(t, func(_ *testbed, c net.Conn) {
				p := make([]byte, len(want))
				io.ReadFull(c, p)
				got <- p
				io.Copy(c, c)
			}, func(b *testbed) {
				b.cfg.Policy = always(policy.Tunnel)
				if !tapped {
					b.cfg.Tap = nil
				}
			})
			c := b.dial()
			c.Write(want)
			if p := <-got; !bytes.Equal(p, want) {
				t.Error("the origin got another hello than the client sent")
			}
			body := bytes.Repeat([]byte("0123456789"), 1<<20)
			go func() {
				c.Write(body)
				c.CloseWrite()
			}()
			if p, err := io.ReadAll(c); err != nil || !bytes.Equal(p, body) {
				t.Errorf("read %d octets of %d, %v", len(p), len(body), err)
			}
			s := b.session()
			if s.Outcome != Tunneling || s.Octets(ClientToOrigin) != uint64(len(want)+len(body)) || s.Octets(OriginToClient) != uint64(len(body)) {
				t.Errorf("outcome %s, octets %d and %d", s.Outcome, s.Octets(0), s.Octets(1))
			}
			if tapped && b.tap.kind[0][Tunneled] != len(want)+len(body) {
				t.Errorf("tap saw %v", b.tap.kind)
			}
		})
	}
}

func TestTunnelCheck(t *testing.T) {
	for _, tt := range []struct {
		name, sni string
		outcome   Outcome
	}{
		{"name belongs to the origin", "www.example.test", Tunneling},
		{"name of another", "bank.example.test", Terminated},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, func(b *testbed) { b.cfg.Policy = always(policy.TunnelCheck) })
			c := b.client(func(cfg *tls.Config) { cfg.ServerName, cfg.InsecureSkipVerify = tt.sni, true })
			err := c.Handshake()
			c.Close()
			if s := b.session(); s.Outcome != tt.outcome || (err == nil) != (tt.outcome == Tunneling) {
				t.Errorf("outcome %s (%s %v), client: %v", s.Outcome, s.Reason, s.Err, err)
			}
		})
	}
}

func TestTerminate(t *testing.T) {
	b := newTLSTestbed(t, func(*tls.Conn) { t.Error("a connection reached the origin") }, nil, func(b *testbed) {
		b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
			if f.TLS && f.SNI == "www.example.test" {
				return policy.Terminate
			}
			return policy.Bump
		})
	})
	err := b.client(nil).Handshake()
	if err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("client saw %v, want the alert access_denied", err)
	}
	if s := b.session(); s.Outcome != Terminated || s.Reason != "policy" {
		t.Errorf("outcome %s, reason %q", s.Outcome, s.Reason)
	}
}

// TestTerminateByDefault has a client that is silent for longer than the engine
// waits: nothing may go to the origin, and its hello may still open the way.
func TestTerminateByDefault(t *testing.T) {
	b := newTLSTestbed(t, echo, nil, func(b *testbed) {
		b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
			if f.SNI == "www.example.test" {
				return policy.Bump
			}
			return policy.Terminate
		})
	})
	c := b.client(nil)
	time.Sleep(200 * time.Millisecond)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if s := b.session(); s.Outcome != Bumped {
		t.Errorf("outcome %s", s.Outcome)
	}
}

// TestHelloInPieces sends a hello of 1.8 KB octet by octet, and split over many
// records.
func TestHelloInPieces(t *testing.T) {
	for _, tt := range []struct {
		name  string
		split func(net.Conn) net.Conn
	}{
		{"octet by octet", func(c net.Conn) net.Conn { return &dribble{Conn: c} }},
		{"silence behind the first octet", func(c net.Conn) net.Conn { return &dribble{Conn: c, pause: 100 * time.Millisecond} }},
		{"over records", func(c net.Conn) net.Conn { return &fragment{Conn: c} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, nil)
			c := tls.Client(tt.split(b.dial()), &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			c.Write([]byte("hi"))
			if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
				t.Fatal(err)
			}
			c.Close()
			if s := b.session(); s.Outcome != Bumped || s.SNI != "www.example.test" {
				t.Errorf("outcome %s, SNI %q", s.Outcome, s.SNI)
			}
		})
	}
}

// dribble writes its first flight an octet at a time, with a pause behind the
// first.
type dribble struct {
	net.Conn
	pause time.Duration
	done  bool
}

func (d *dribble) Write(p []byte) (int, error) {
	if d.done {
		return d.Conn.Write(p)
	}
	d.done = true
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(d.pause)
		d.pause = 0
	}
	return len(p), nil
}

// fragment writes its first record as records of 100 octets.
type fragment struct {
	net.Conn
	done bool
}

func (f *fragment) Write(p []byte) (int, error) {
	if f.done {
		return f.Conn.Write(p)
	}
	f.done = true
	var out []byte
	for body := p[5:]; len(body) > 0; {
		n := min(100, len(body))
		out = append(out, p[0], p[1], p[2], 0, byte(n))
		out = append(out, body[:n]...)
		body = body[n:]
	}
	_, err := f.Conn.Write(out)
	return len(p), err
}

func TestBadFirstFlight(t *testing.T) {
	long := []byte{22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff} // a hello of 16 MiB
	for _, tt := range []struct {
		name   string
		send   []byte
		reason string
	}{
		{"truncated hello", hello(t)[:300], "client-silent"},
		{"first octet of a hello", hello(t)[:1], "client-silent"},
		{"broken hello", append([]byte{22, 3, 1, 0, 8, 1, 0, 0, 4}, 9, 9, 9, 9), "malformed-hello"},
		{"hello over 64 KiB", long, "hello-too-long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, func(*tls.Conn) { t.Error("a connection reached the origin") }, nil, func(b *testbed) {
				b.cfg.Client.HandshakeTimeout = 200 * time.Millisecond
			})
			c := b.dial()
			c.Write(tt.send)
			io.Copy(io.Discard, c)
			if s := b.session(); s.Reason != tt.reason || s.Outcome != Failed {
				t.Errorf("outcome %s, reason %q (%v), want %q", s.Outcome, s.Reason, s.Err, tt.reason)
			}
		})
	}
	t.Run("garbage passes as it is", func(t *testing.T) {
		b := newTestbed(t, func(_ *testbed, c net.Conn) { io.Copy(c, c) }, nil)
		c := b.dial()
		garbage := []byte("\x00\xff\x16garbage\r\n")
		c.Write(garbage)
		c.CloseWrite()
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, garbage) {
			t.Errorf("read %q, %v", got, err)
		}
		if s := b.session(); s.Outcome != Passed || b.tap.kind[0][Plain] != len(garbage) {
			t.Errorf("outcome %s, tap saw %v", s.Outcome, b.tap.kind)
		}
	})
}

func TestPlainHTTP(t *testing.T) {
	serve := func(_ *testbed, c net.Conn) {
		bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	}
	b := newTestbed(t, serve, nil)
	c := b.dial()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: www.example.test\r\n\r\n")
	if got, _ := io.ReadAll(c); !bytes.HasPrefix(got, []byte("HTTP/1.1 204")) {
		t.Errorf("read %q", got)
	}
	c.Close()
	if s := b.session(); s.Outcome != Passed || s.Protocol != "http" || s.Host != "www.example.test" {
		t.Errorf("outcome %s, protocol %q, host %q", s.Outcome, s.Protocol, s.Host)
	}
}

func TestUnreachableOrigin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // now nobody listens there
	b := newTestbed(t, func(*testbed, net.Conn) {}, nil)
	e, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	go func() { near.Write(hello(t)); io.Copy(io.Discard, near) }()
	e.Serve(t.Context(), &Incoming{Conn: far, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}})
	near.Close()
	if s := b.session(); s.Reason != "origin-refused" {
		t.Errorf("reason %q (%v)", s.Reason, s.Err)
	}
}

// TestHTTP2InTheClear: a host rule is not evaded by HTTP/2 without TLS, nor by a client
// that says no more than the preface.
func TestHTTP2InTheClear(t *testing.T) {
	whole := http2Request("evil.example.test")
	for name, request := range map[string]string{"at once": whole, "without a request": whole[:len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")+9]} {
		t.Run(name, func(t *testing.T) {
			b := newTestbed(t, func(*testbed, net.Conn) { t.Error("a connection reached the origin") }, func(b *testbed) {
				b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
					if f.Host == "evil.example.test" || f.HostDoubt {
						return policy.Terminate
					}
					return policy.Bump
				})
			})
			c := b.dial()
			io.WriteString(c, request)
			io.ReadAll(c)
			c.Close()
			if s := b.session(); s.Outcome != Terminated || s.Protocol != "http2" {
				t.Errorf("outcome %s, protocol %q, host %q", s.Outcome, s.Protocol, s.Host)
			}
		})
	}
}

// TestRequestInCrumbs: a host rule is not evaded by sending slowly.
func TestRequestInCrumbs(t *testing.T) {
	b := newTestbed(t, func(*testbed, net.Conn) { t.Error("a connection reached the origin") }, func(b *testbed) {
		b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
			if f.Host == "evil.example.test" {
				return policy.Terminate
			}
			return policy.Bump
		})
	})
	c := b.dial()
	for _, crumb := range []string{"GE", "T / HTTP/1.1\r\nHo", "st: evil.example.test\r\n\r\n"} {
		io.WriteString(c, crumb)
		time.Sleep(100 * time.Millisecond) // twice Silence
	}
	if s := b.session(); s.Outcome != Terminated || s.Host != "evil.example.test" {
		t.Errorf("outcome %s, host %q", s.Outcome, s.Host)
	}
}

// TestShortPayload: octets that could still become a known protocol pass soon.
func TestShortPayload(t *testing.T) {
	b := newTestbed(t, func(_ *testbed, c net.Conn) { io.Copy(c, c) }, nil)
	c := b.dial()
	c.SetDeadline(time.Now().Add(1500 * time.Millisecond)) // HandshakeTimeout is 2 s
	io.WriteString(c, "ping")
	if got, err := io.ReadAll(io.LimitReader(c, 4)); err != nil || string(got) != "ping" {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestServerFirst has an origin that greets and a protocol nobody knows.
func TestServerFirst(t *testing.T) {
	b := newTestbed(t, func(_ *testbed, c net.Conn) {
		io.WriteString(c, "hello from a server\n")
		io.Copy(c, c)
	}, nil)
	conn := b.dial()
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || line != "hello from a server\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	io.WriteString(conn, "and back\n")
	if line, err := r.ReadString('\n'); err != nil || line != "and back\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	conn.CloseWrite()
	io.Copy(io.Discard, r)
	if s := b.session(); s.Outcome != Passed || s.Reason != "" {
		t.Errorf("outcome %s, reason %q (%v)", s.Outcome, s.Reason, s.Err)
	}
}

// TestSlowClient has a client whose hello comes after the origin was dialed.
func TestSlowClient(t *testing.T) {
	b := newTLSTestbed(t, echo, nil, nil)
	c := b.client(nil)
	time.Sleep(150 * time.Millisecond)
	c.Write([]byte("late"))
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if s := b.session(); s.Outcome != Bumped || s.Protocol != "tls" {
		t.Errorf("outcome %s, protocol %q, reason %q (%v)", s.Outcome, s.Protocol, s.Reason, s.Err)
	}
}

func TestNewRequires(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("engine without policy, forger and verifier")
	}
}

func TestFailureReasons(t *testing.T) {
	if !errors.Is(fail("x", io.EOF, 0), io.EOF) {
		t.Error("failure hides its cause")
	}
}
