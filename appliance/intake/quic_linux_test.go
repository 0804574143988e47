package intake

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// longHeader is a datagram with a long header of that version, as long as an Initial
// must be at least (RFC 9000, Section 14.1).
func longHeader(version uint32) []byte {
	d := make([]byte, 1200)
	d[0], d[1], d[2], d[3], d[4] = 0xc3, byte(version>>24), byte(version>>16), byte(version>>8), byte(version)
	return d
}

var query = []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00")

// datagrams listens on ports of a namespace, on both families, and says what arrives.
func (l *lab) datagrams(t *testing.T, ports ...int) <-chan []byte {
	t.Helper()
	arrived := make(chan []byte, 100)
	done := make(chan struct{})
	for _, port := range ports {
		l.in(t, l.origin, func() error {
			c, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
			if err != nil {
				return err
			}
			t.Cleanup(func() { c.Close(); <-done })
			go func() {
				defer func() { done <- struct{}{} }()
				buf := make([]byte, 65536)
				for {
					n, from, err := c.ReadFromUDPAddrPort(buf)
					if err != nil {
						return
					}
					arrived <- append([]byte(nil), buf[:n]...)
					c.WriteToUDPAddrPort([]byte("seen"), from)
				}
			}()
			return nil
		})
	}
	return arrived
}

// udp is a client's socket to an origin.
func (l *lab) udp(t *testing.T, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	l.in(t, l.client, func() (err error) {
		c, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		return err
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// fate sends a datagram and returns what becomes of it: "answered", "refused" or
// "silence".
func fate(t *testing.T, c *net.UDPConn, datagram []byte) string {
	t.Helper()
	if _, err := c.Write(datagram); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(2 * time.Second))
	_, err := c.Read(make([]byte, 100))
	switch {
	case err == nil:
		return "answered"
	case errors.Is(err, unix.ECONNREFUSED):
		return "refused"
	case isTimeout(err):
		return "silence"
	}
	t.Fatal(err)
	return ""
}

// unlimited has the box answer as often as there is something to answer.
func (l *lab) unlimited(t *testing.T) {
	t.Helper()
	l.in(t, l.box, func() error {
		return errors.Join(sysctl("ipv4/icmp_ratelimit", "0"), sysctl("ipv6/icmp/ratelimit", "0"))
	})
}

func TestForwardedQUIC(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.unlimited(t)
			arrived := l.datagrams(t, 443, 8443, 4433, 53)
			before := l.state(t)
			config := mode.box(Forwarded{QUIC: BlockQUIC})
			config.Watch = true
			b := l.start(t, config)
			b.ready(t)
			for _, addr := range []netip.Addr{origin4, origin6} {
				for _, tt := range []struct {
					name     string
					port     uint16
					datagram []byte
					refused  bool
				}{
					{"version 1", 443, longHeader(1), true},
					{"version 1 on another port", 8443, longHeader(1), true},
					{"version 2", 4433, longHeader(0x6b3343cf), true},
					{"draft", 8443, longHeader(0xff00001d), true},
					{"in fragments", 8443, append(longHeader(1), make([]byte, 2000)...), true},
					{"short header on its port", 443, []byte("\x43\x00\x00\x00\x01"), true},
					{"anything on its port", 443, query, true},
					{"short header", 8443, append([]byte{0x43}, make([]byte, 1199)...), false},
					{"unknown version", 8443, longHeader(0x1a2a3a4a), false},
					{"DNS", 53, query, false},
					{"others in fragments", 8443, make([]byte, 3200), false},
					{"too short", 8443, []byte{0xc3, 0, 0, 0}, false},
				} {
					t.Run(fmt.Sprint(tt.name, " to ", addr), func(t *testing.T) {
						c := l.udp(t, netip.AddrPortFrom(addr, tt.port))
						want := "answered"
						if tt.refused {
							want = "refused"
						}
						if got := fate(t, c, tt.datagram); got != want {
							t.Errorf("%s, want %s", got, want)
						}
						if !tt.refused {
							if d := <-arrived; len(d) != len(tt.datagram) {
								t.Errorf("%d octets arrive, want %d", len(d), len(tt.datagram))
							}
						}
						if tt.refused && tt.datagram[0] == 0xc3 { // a copy
							want := boxEvent{Client: c.LocalAddr().String(), Origin: c.RemoteAddr().String(), QUIC: min(len(tt.datagram), copyLength-headersTo(addr))}
							if diff := cmp.Diff(want, b.next(t)); diff != "" {
								t.Errorf("copy (-want +got):\n%s", diff)
							}
						}
					})
				}
			}
			if len(arrived) > 0 {
				t.Errorf("refused, but the origin got %d octets", len(<-arrived))
			}
			if n := l.counted(t, countRefused); n < 14 {
				t.Errorf("%d counted", n)
			}
			b.kill()
			if mode.name == "redirect" { // a dead tproxy leaves the rules of its own table
				if diff := cmp.Diff(before, l.state(t)); diff != "" {
					t.Errorf("left behind (-before +after):\n%s", diff)
				}
			} else if state := l.state(t); strings.Contains(state, forwardedTableName("gateway")) || strings.Contains(state, quicTableName("gateway")) {
				t.Errorf("rules of a dead process:\n%s", l.state(t))
			}
			if got := fate(t, l.udp(t, netip.AddrPortFrom(origin4, 443)), longHeader(1)); got != "answered" {
				t.Errorf("QUIC past a dead process: %s", got)
			}
		})
	}
}

// A hello is often two datagrams. Both are seen, though the flow is refused.
func TestForwardedQUICHello(t *testing.T) {
	for _, verdict := range []QUICVerdict{QUICUndecided, QUICRefuse} {
		t.Run(fmt.Sprint("verdict ", verdict), func(t *testing.T) {
			t.Parallel()
			l := newLab(t) // where the kernel limits its answers
			arrived := l.datagrams(t, 443)
			config := routedModes[1].box(Forwarded{QUIC: BlockQUIC})
			config.Watch, config.Verdict = true, verdict
			b := l.start(t, config)
			b.ready(t)
			for range 10 {
				for _, addr := range []netip.Addr{origin4, origin6} {
					c := l.udp(t, netip.AddrPortFrom(addr, 443))
					if _, err := c.Write(longHeader(1)); err != nil {
						t.Fatal(err)
					}
					if verdict == QUICUndecided {
						if got := fate(t, c, longHeader(1)); got != "refused" {
							t.Fatal(got)
						}
						for range 2 {
							if e := b.next(t); e.Client != c.LocalAddr().String() || e.QUIC != 1200 {
								t.Fatalf("copy %+v, want client %v", e, c.LocalAddr())
							}
						}
						continue
					}
					c.SetReadDeadline(time.Now().Add(3 * time.Second))
					if _, err := c.Read(make([]byte, 10)); !errors.Is(err, unix.ECONNREFUSED) {
						t.Fatalf("after the first datagram: %v", err)
					}
					if e := b.next(t); e.Client != c.LocalAddr().String() {
						t.Fatalf("copy %+v, want client %v", e, c.LocalAddr())
					}
				}
			}
			b.close(t)
			if len(arrived) > 0 {
				t.Errorf("%d datagrams at the origin", len(arrived))
			}
		})
	}
}

// headersTo returns the length of IP and UDP headers.
func headersTo(a netip.Addr) int {
	if a.Is4() {
		return ipv4Header + udpHeader
	}
	return ipv6Header + udpHeader
}

// IP options and extension headers hide nothing.
func TestForwardedOptions(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.unlimited(t)
	arrived := l.datagrams(t, 443, 53)
	b := l.start(t, routedModes[0].box(Forwarded{QUIC: BlockQUIC}))
	b.ready(t)
	for _, tt := range []struct {
		name          string
		to            netip.Addr
		level, option int
		value         string
	}{
		{"IPv4 options", origin4, unix.SOL_IP, unix.IP_OPTIONS, "\x01\x01\x01\x01"},
		{"IPv6 destination options", origin6, unix.SOL_IPV6, unix.IPV6_DSTOPTS, "\x00\x00\x01\x04\x00\x00\x00\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, port := range []uint16{443, 53} {
				c := l.udp(t, netip.AddrPortFrom(tt.to, port))
				raw, err := c.SyscallConn()
				if err != nil {
					t.Fatal(err)
				}
				var failed error
				err = raw.Control(func(fd uintptr) {
					failed = unix.SetsockoptString(int(fd), tt.level, tt.option, tt.value)
				})
				if err := errors.Join(err, failed); err != nil {
					t.Fatal(err)
				}
				datagram := longHeader(1)
				if port == 53 {
					datagram = query
				}
				if got := fate(t, c, datagram); (got == "refused") != (port == 443) || port == 53 && got != "answered" {
					t.Errorf("port %d: %s", port, got)
				}
			}
		})
	}
	for range len(arrived) {
		if d := <-arrived; len(d) != len(query) {
			t.Errorf("%d octets arrive", len(d))
		}
	}
	b.close(t)
}

// With Block, QUIC stays refused when the process is dead. QUIC to the box itself is
// nobody's concern.
func TestForwardedQUICBlock(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.unlimited(t)
	l.datagrams(t, 443)
	config := routedModes[0].box(Forwarded{Down: DownBlock, QUIC: BlockQUIC})
	config.Watch = true
	b := l.start(t, config)
	b.ready(t)
	b.kill()
	for _, addr := range []netip.Addr{origin4, origin6} {
		if got := fate(t, l.udp(t, netip.AddrPortFrom(addr, 443)), longHeader(1)); got != "refused" {
			t.Errorf("%s, want refused", got)
		}
	}
	l.in(t, l.box, func() error {
		c, err := net.ListenUDP("udp", &net.UDPAddr{Port: 443})
		if err == nil {
			t.Cleanup(func() { c.Close() })
			go func() {
				buf := make([]byte, 2000)
				if _, from, err := c.ReadFromUDPAddrPort(buf); err == nil {
					c.WriteToUDPAddrPort([]byte("seen"), from)
				}
			}()
		}
		return err
	})
	if got := fate(t, l.udp(t, netip.AddrPortFrom(box4, 443)), longHeader(1)); got != "answered" {
		t.Errorf("to the box: %s", got)
	}
	l.in(t, l.box, func() error { return Remove("gateway") })
	if got := fate(t, l.udp(t, netip.AddrPortFrom(origin6, 443)), longHeader(1)); got != "answered" {
		t.Errorf("after the removal: %s", got)
	}
}

// Where QUIC passes, a verdict ends a flow, and that flow alone.
func TestForwardedQUICVerdict(t *testing.T) {
	for _, verdict := range []QUICVerdict{QUICUndecided, QUICPass, QUICRefuse} {
		t.Run(fmt.Sprint("verdict ", verdict), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.unlimited(t)
			l.datagrams(t, 443)
			before := l.state(t)
			config := routedModes[1].box(Forwarded{})
			config.Watch, config.Verdict = true, verdict
			b := l.start(t, config)
			b.ready(t)
			for _, addr := range []netip.Addr{origin4, origin6} {
				c := l.udp(t, netip.AddrPortFrom(addr, 443))
				if got := fate(t, c, longHeader(1)); got != "answered" {
					t.Fatalf("the first datagram: %s", got)
				}
				want := boxEvent{Client: c.LocalAddr().String(), Origin: c.RemoteAddr().String(), QUIC: 1200}
				if diff := cmp.Diff(want, b.next(t)); diff != "" {
					t.Fatalf("copy (-want +got):\n%s", diff)
				}
				short := []byte("\x43 short header")
				if verdict == QUICRefuse {
					tempo.Until(t, "the flow is refused", func() bool { return fate(t, c, short) == "refused" })
				} else if got := fate(t, c, short); got != "answered" {
					t.Errorf("a flow that passes: %s", got)
				}
				if got := fate(t, l.udp(t, netip.AddrPortFrom(addr, 443)), short); got != "answered" {
					t.Errorf("another flow: %s", got)
				}
			}
			if n := l.counted(t, countQUIC); n != 2 {
				t.Errorf("%d long headers counted", n)
			}
			b.close(t)
			if diff := cmp.Diff(before, l.state(t)); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// Exempt addresses have their QUIC, and their old connections.
func TestForwardedExempt(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.unlimited(t)
	l.datagrams(t, 443)
	l.listen(t, l.origin, 465)
	old := l.dial(t, netip.AddrPortFrom(origin4, 465))
	ended := l.pour(t, 443)
	stray := l.download(t, netip.AddrPortFrom(origin6, 443))
	b := l.start(t, routedModes[0].box(Forwarded{Strays: ResetStrays, QUIC: BlockQUIC, Exempt: Exempt{Origins: []netip.Prefix{netip.PrefixFrom(origin4, 24)}}}))
	b.ready(t)
	if got := fate(t, l.udp(t, netip.AddrPortFrom(origin4, 443)), longHeader(1)); got != "answered" {
		t.Errorf("exempt: %s", got)
	}
	if got := fate(t, l.udp(t, netip.AddrPortFrom(origin6, 443)), longHeader(1)); got != "refused" {
		t.Errorf("not exempt: %s", got)
	}
	old.echo(t)
	if _, err := io.Copy(io.Discard, stray); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a stray that is not exempt: %v", err)
	}
	<-ended
	b.close(t)
}

// Two intakes have copies each of its own.
func TestCopiesGroups(t *testing.T) {
	l := newLab(t)
	l.in(t, l.box, func() error {
		one, err := openNFLOG("one")
		if err != nil {
			return err
		}
		defer one.close()
		two, err := openNFLOG("two")
		if err != nil {
			return err
		}
		defer two.close()
		if one.group == two.group {
			t.Errorf("both have group %d", one.group)
		}
		return nil
	})
}
