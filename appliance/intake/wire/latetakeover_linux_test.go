package wire_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/hack/lab"
)

const echoV4 = lab.OriginV4 + ":443"

// line sends text and reads one line.
func line(conn net.Conn, text string) (string, error) {
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

// A tunnelled connection is end to end: no session, no socket, and the daemon's
// death does not matter to it.
func TestTunnelSurvives(t *testing.T) {
	t.Parallel()
	for _, address := range []string{lab.OriginV4, lab.OriginV6} {
		b := newBench(t)
		b.echo("tcp", ":443")
		p := b.start(settings{})
		b.await(true)
		conn, err := b.Client.Dial("tcp", net.JoinHostPort(address, "443"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got, err := line(conn, "TUNNEL\n"); got != "TUNNEL\n" {
			t.Fatalf("got %q, %v", got, err)
		}
		p.expect(0)
		if n := b.sockets(); n != 0 {
			t.Errorf("%d sockets in the wire, want none", n)
		}
		if err := p.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		if got, err := line(conn, "again\n"); got != "again\n" {
			t.Errorf("after kill: got %q, %v", got, err)
		}
		p = b.start(settings{})
		b.await(true)
		if got, err := line(conn, "and again\n"); got != "and again\n" {
			t.Errorf("after restart: got %q, %v", got, err)
		}
		p.expect(0)
		p.stop()
	}
}

// sockets counts the connections of the wire's namespace.
func (b *bench) sockets() int {
	b.t.Helper()
	out, err := b.Box.Command(b.t.Context(), "ip", "netns", "exec", "clearspan-"+b.name, "ss", "-Htan", "state", "connected").Output()
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Count(string(out), "\n")
}

// A flight is decided on as it is when it comes within the time for it. This is not
// run beside tests that load the machine, which would be late itself.
func TestLateFlights(t *testing.T) {
	b := newBench(t)
	b.echo("tcp", ":443")
	p := b.start(settings{})
	b.await(true)

	before := 0
	for _, tt := range []struct {
		name  string
		parts []string // sent apart, with a pause
		pause time.Duration
		taken bool
	}{
		{"one segment", []string{"hello\n"}, 0, true},
		{"several segments", []string{"MORE of ", "the ", "hello\n"}, 20 * time.Millisecond, true},
		{"tunnel over several segments", []string{"TUN", "NEL ", "through\n"}, 20 * time.Millisecond, false},
		{"client that stops amid its hello", []string{"MORE of it", "...\n"}, 600 * time.Millisecond, true},
		{"flight of many segments", []string{"MORE " + strings.Repeat("x", 12_000), "\n"}, 0, true},
		{"tunnel of many segments", []string{"TUNNEL " + strings.Repeat("y", 12_000) + "\n"}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.expect(before)
			if tt.taken {
				before++
			}
			conn, err := b.Client.Dial("tcp", echoV4)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			start := time.Now()
			conn.SetDeadline(start.Add(5 * time.Second))
			want := strings.Join(tt.parts, "")
			go func() {
				for _, part := range tt.parts {
					io.WriteString(conn, part)
					time.Sleep(tt.pause)
				}
			}()
			got := make([]byte, len(want))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
				t.Fatalf("%v: got %d octets, want %d", err, len(got), len(want))
			}
			if d := time.Since(start); d > time.Second+time.Duration(len(tt.parts))*tt.pause {
				t.Errorf("took %v", d)
			}
			p.expect(before)
		})
	}
	p.stop()
}

// An origin that speaks first is heard before anything is taken.
func TestServerFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	l, err := b.Origin.Listen("tcp", ":25")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.WriteString(conn, "220 greeting\n")
				io.Copy(conn, conn)
			}()
		}
	}()
	p := b.start(settings{})
	b.await(true)
	for i, address := range []string{lab.OriginV4, lab.OriginV6} {
		conn, err := b.Client.Dial("tcp", net.JoinHostPort(address, "25"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got, err := line(conn, ""); got != "220 greeting\n" {
			t.Fatalf("greeting: %q, %v", got, err)
		}
		p.expect(i)
		if got, err := line(conn, "EHLO\n"); got != "EHLO\n" {
			t.Errorf("dialogue: %q, %v", got, err)
		}
		p.expect(i + 1)
	}
	p.stop()
}

// Nobody at the other end looks as it does without us.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.start(settings{})
	b.await(true)
	if _, err := b.Client.Dial("tcp", echoV4); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("closed port: %v, want refused", err)
	}
	if _, err := b.Client.Dial("tcp", "192.0.2.77:443"); !errors.Is(err, syscall.EHOSTUNREACH) && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("no such host: %v, want unreachable", err)
	}
	p.stop()
}

// Ends of connections are carried through.
func TestEnds(t *testing.T) {
	t.Parallel()
	for _, takeover := range []wire.Takeover{wire.Accept, wire.Late} {
		t.Run(string(takeover), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			l, err := b.Origin.Listen("tcp", ":443")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			p := b.start(settings{Takeover: takeover})
			b.await(true)
			for _, how := range []string{"reset", "close"} {
				conn, err := b.Client.Dial("tcp", echoV4)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, "x"); err != nil {
					t.Fatal(err)
				}
				origin, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				origin.SetDeadline(time.Now().Add(5 * time.Second))
				if _, err := io.ReadFull(origin, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				var want error = io.EOF
				if how == "reset" {
					conn.(*net.TCPConn).SetLinger(0)
					want = syscall.ECONNRESET
				}
				conn.Close()
				if _, err := origin.Read(make([]byte, 1)); !errors.Is(err, want) {
					t.Errorf("%s by the client arrives as %v", how, err)
				}
				origin.Close()
			}
			p.stop()
		})
	}
}
