package intake

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// pour serves port of the origin: what it sends has no end. It says how the sending
// ended.
func (l *lab) pour(t *testing.T, port uint16) <-chan error {
	t.Helper()
	ended := make(chan error, 2)
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	l.in(t, l.origin, func() error {
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{Port: int(port)})
		if err != nil {
			return err
		}
		t.Cleanup(func() { listener.Close() })
		all.Go(func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				all.Go(func() {
					defer c.Close()
					c.SetDeadline(time.Now().Add(20 * time.Second))
					for {
						if _, err := c.Write(make([]byte, 1000)); err != nil {
							ended <- err
							return
						}
						time.Sleep(5 * time.Millisecond)
					}
				})
			}
		})
		return nil
	})
	return ended
}

// download is a client's connection to such a port, on which octets come.
func (l *lab) download(t *testing.T, from netip.AddrPort) net.Conn {
	t.Helper()
	var c net.Conn
	l.in(t, l.client, func() (err error) {
		c, err = net.DialTimeout("tcp", from.String(), 3*time.Second)
		return err
	})
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	return c
}

// A download that began before the box took the route, as after a take-over from
// another box, ends on both ends.
func TestForwardedReset(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			ended := l.pour(t, 443)
			l.listen(t, l.origin, 465)
			l.listen(t, l.origin, 22)
			other := l.dial(t, netip.AddrPortFrom(origin4, 22)) // not selected
			var downloads []net.Conn
			for _, addr := range []netip.Addr{origin4, origin6} {
				downloads = append(downloads, l.download(t, netip.AddrPortFrom(addr, 443)))
			}
			before := l.state(t)
			b := l.start(t, mode.box(Forwarded{Strays: ResetStrays}))
			b.ready(t)
			for _, c := range downloads {
				if _, err := io.Copy(io.Discard, c); !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("the client reads on: %v", err)
				}
			}
			for range downloads {
				select {
				case err := <-ended:
					if !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
						t.Errorf("the origin ends with %v", err)
					}
				case <-time.After(10 * time.Second):
					t.Error("the origin sends on")
				}
			}
			other.echo(t)
			for _, addr := range []netip.Addr{origin4, origin6} { // ours are not strays
				l.taken(t, b, netip.AddrPortFrom(addr, 465))
			}
			if n := l.counted(t, countReset); n < 2 {
				t.Errorf("%d resets counted", n)
			}
			b.close(t)
			if diff := cmp.Diff(before, l.state(t)); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// counted returns the packets that a counter of the gateway's table has.
func (l *lab) counted(t *testing.T, counter string) (packets uint64) {
	t.Helper()
	l.in(t, l.box, func() error {
		f := &forwardedTable{match: &nftMatch{name: "gateway"}, config: Forwarded{Down: DownBlock}}
		n, err := f.Counts()
		switch counter {
		case countReset:
			packets = n.Strays["reset"]
		case countStrays:
			packets = n.Strays["passed"]
		case countRefused:
			packets = n.QUIC["refused"]
		case countQUIC:
			packets = n.QUIC["passed"]
		}
		return err
	})
	return packets
}

// While an intake drains, connections are routed past it, and are not strays.
func TestForwardedDrain(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.listen(t, l.origin, 443)
			config := mode.box(Forwarded{Strays: ResetStrays})
			config.Drain = true
			b := l.start(t, config)
			b.ready(t)
			open := l.dial(t, netip.AddrPortFrom(origin6, 443))
			b.next(t)
			b.stop()
			if e := b.next(t); !e.Closing {
				t.Fatalf("got %+v, want the intake to close", e)
			}
			routed := l.dial(t, netip.AddrPortFrom(origin6, 443))
			if routed.seen != routed.local {
				t.Errorf("routed: origin sees %v, client is %v", routed.seen, routed.local)
			}
			open.echo(t)
			open.Close()
			if e := b.next(t); !e.Closed {
				t.Errorf("got %+v, want the end", e)
			}
			routed.echo(t)
		})
	}
}

// With reset, ports must be named: else answers of servers at the clients' side would
// be reset.
func TestForwardedRefused(t *testing.T) {
	l := newLab(t)
	before := l.state(t)
	b := l.start(t, boxConfig{Intakes: []boxIntake{{"all", TProxy{Listen: ":0", From: []string{"lan0"}, Forwarded: Forwarded{Strays: ResetStrays}}}}})
	if e := b.next(t); !strings.Contains(e.Error, "needs ports") {
		t.Errorf("got %+v", e)
	}
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
