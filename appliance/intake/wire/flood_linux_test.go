package wire_test

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"golang.org/x/sys/unix"
)

// Without room, what is not judged does not pass.
func TestBurst(t *testing.T) {
	t.Parallel()
	for _, overload := range []admission.Overload{admission.Refuse, admission.Tunnel} {
		t.Run(map[admission.Overload]string{admission.Refuse: "refuse", admission.Tunnel: "tunnel"}[overload], func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			origin := b.listen(":443")
			p := b.start(settings{Stall: time.Minute, Overload: overload})
			b.await(true)
			if err := p.Signal(unix.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			text := strings.Repeat("x", 14_000) // within the first window
			var conns []net.Conn
			for range 1000 {
				conn, err := b.Client.Dial("tcp", echoV4)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(30 * time.Second))
				go io.WriteString(conn, text)
				conns = append(conns, conn)
			}
			time.Sleep(300 * time.Millisecond)
			if passed := origin.has("x"); passed != (overload == admission.Tunnel) {
				t.Errorf("passed while nobody decided: %v\n%+v", passed, b.status())
			}
			if err := p.Signal(unix.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if overload == admission.Refuse {
				for i, conn := range conns {
					if _, err := io.ReadFull(conn, make([]byte, 2)); err != nil {
						t.Fatalf("connection %d: %v", i, err)
					}
				}
				p.expect(len(conns))
			}
			p.stop()
		})
	}
}

// A flood of SYNs by made-up clients, each of them twice, breaks no connection that
// is taken, nor one whose client has said nothing yet.
func TestSYNFlood(t *testing.T) {
	t.Parallel()
	for _, takeover := range []wire.Takeover{wire.Late, wire.Accept} {
		t.Run(string(takeover), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			p := b.start(settings{Takeover: takeover})
			b.await(true)
			taken, err := b.Client.Dial("tcp", echoV4)
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			if got, err := line(taken, "hello\n"); got != "hello\n" {
				t.Fatalf("%q, %v", got, err)
			}
			silent, err := b.Client.Dial("tcp", echoV4)
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			time.Sleep(50 * time.Millisecond)
			flood := openTap(t, b.Client)
			frame := octets(t, there, "0800", "45000028", "00010000", "4006", "0000", ipv4, "c35001bb00000001000000005002ffff00000000")
			n := 200_000
			for i := range n {
				copy(frame[26:30], []byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
				sums(frame)
				for range 2 {
					if err := flood.send(frame); err != nil && err != unix.ENOBUFS {
						t.Fatal(err)
					}
				}
			}
			if got, err := line(taken, "still there\n"); got != "still there\n" {
				t.Errorf("taken: %q, %v", got, err)
			}
			if got, err := line(silent, "now\n"); got != "now\n" {
				t.Errorf("silent: %q, %v", got, err)
			}
			p.expect(2)
			p.Stop(5 * time.Second)
		})
	}
}

// Connections that are older than the wire have a time to show themselves; those
// that begin while nobody is there go on when somebody is.
func TestGrace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.echo("tcp", ":443")
	p := b.start(settings{})
	b.await(true)
	p.stop()
	older, err := b.Client.Dial("tcp", echoV4)
	if err != nil {
		t.Fatal(err)
	}
	defer older.Close()
	p = b.start(settings{Grace: time.Millisecond})
	b.await(true)
	if got, err := line(older, "still there\n"); got != "still there\n" {
		t.Errorf("begun while nobody was there: %q, %v", got, err)
	}
	p.expect(0)
	p.stop()
	b.remove()
	// Without the wire, the two ends have no cable: it is set up anew.
	p = b.start(settings{Grace: 5 * time.Second})
	b.await(true)
	if got, err := line(older, "and now\n"); got != "and now\n" {
		t.Errorf("older than the wire: %q, %v", got, err)
	}
	p.stop()
	b.remove()
	p = b.start(settings{Grace: time.Millisecond})
	b.await(true)
	time.Sleep(20 * time.Millisecond)
	older.SetDeadline(time.Now().Add(500 * time.Millisecond))
	io.WriteString(older, "too late\n")
	if _, err := older.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Errorf("unknown connection: %v, want no answer", err)
	}
	p.stop()
}
