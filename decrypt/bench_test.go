package decrypt

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// BenchmarkRelay measures what a MiB from the origin costs. cpu-ns/op is the CPU time,
// user and kernel, of client, engine and origin.
func BenchmarkRelay(b *testing.B) {
	for _, bb := range []struct {
		name   string
		action policy.Action
		tap    Tap
		tls    bool
	}{
		{"bumped", policy.Bump, nil, true},
		{"bumped, tapped", policy.Bump, nullTap{}, true},
		{"plain", policy.Bump, nil, false},
		{"plain, tapped", policy.Bump, nullTap{}, false},
		{"tunnel, spliced", policy.Tunnel, nil, true},
	} {
		b.Run(bb.name, func(b *testing.B) {
			e := newBenchEngine(b, bb.action, bb.tap, bb.tls)
			c := e.dial()
			c.Write([]byte("SSH-2.0-x\r\n"))
			const chunk = 1 << 20
			p := make([]byte, chunk)
			io.ReadFull(c, p)
			b.SetBytes(chunk)
			before := cpuTime(b)
			for b.Loop() {
				if _, err := io.ReadFull(c, p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkIdle measures the memory of a bumped session that waits, with its client and
// its origin, in octets of heap and stack.
func BenchmarkIdle(b *testing.B) {
	const sessions = 400
	e := newBenchEngine(b, policy.Bump, nullTap{}, true)
	e.quiet = true
	var before, after runtime.MemStats
	for b.Loop() {
		readMemory(&before)
		for range sessions {
			c := e.dial()
			c.Write([]byte("x"))
			io.ReadFull(c, make([]byte, 1))
		}
		time.Sleep(300 * time.Millisecond)
		readMemory(&after)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/sessions, "heap/session")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/sessions, "stack/session")
}

func readMemory(m *runtime.MemStats) {
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(m)
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// nullTap hears everything and keeps nothing.
type nullTap struct{}

func (nullTap) Open(*Session) Stream            { return nullTap{} }
func (nullTap) Data(Direction, Content, []byte) {}
func (nullTap) End(Direction, Ending)           {}
func (nullTap) Close()                          {}

// benchEngine is an engine whose origin sends without an end, or answers an octet.
type benchEngine struct {
	*testing.B
	forger *forger
	front  net.Listener
	tls    bool
	quiet  bool // the origin only answers
}

func newBenchEngine(b *testing.B, action policy.Action, tap Tap, secured bool) *benchEngine {
	e := &benchEngine{B: b, forger: &forger{newAuthority(b, "trusted"), newAuthority(b, "untrusted")}, tls: secured}
	origins := newAuthority(b, "origins")
	leaf, err := origins.issue("www.example.test")
	if err != nil {
		b.Fatal(err)
	}
	engine, err := New(Config{Policy: always(action), Forger: e.forger, Verifier: judge{origins.pool}, Tap: tap})
	if err != nil {
		b.Fatal(err)
	}
	if action == policy.Tunnel {
		e.forger.trusted = origins
	}
	back := e.accept(func(c net.Conn) {
		if secured {
			c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*leaf}})
		}
		io.ReadFull(c, make([]byte, 1))
		for p := make([]byte, 64<<10); ; {
			if e.quiet {
				c.Write(p[:1])
				io.Copy(io.Discard, c)
				return
			}
			if _, err := c.Write(p); err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	e.front = e.accept(func(c net.Conn) {
		engine.Serve(ctx, &Incoming{
			Conn: c, Client: c.RemoteAddr().(*net.TCPAddr).AddrPort(), Origin: netip.MustParseAddrPort(back.Addr().String()),
			Dial: func(context.Context) (net.Conn, error) { return net.Dial("tcp", back.Addr().String()) },
		})
	})
	return e
}

// accept serves connections until the benchmark ends.
func (e *benchEngine) accept(serve func(net.Conn)) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l
}

// dial connects a client.
func (e *benchEngine) dial() net.Conn {
	c, err := net.Dial("tcp", e.front.Addr().String())
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { c.Close() })
	if e.tls {
		return tls.Client(c, &tls.Config{ServerName: "www.example.test", RootCAs: e.forger.trusted.pool})
	}
	return c
}
