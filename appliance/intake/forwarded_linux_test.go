package intake

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// routedModes are the kinds of intakes for routed traffic, for ports 443 and 465.
var routedModes = []struct {
	name string
	box  func(Forwarded) boxConfig
}{
	{"tproxy", func(f Forwarded) boxConfig {
		i := https
		i.Forwarded = f
		return boxConfig{Intakes: []boxIntake{i}}
	}},
	{"redirect", func(f Forwarded) boxConfig {
		i := nat
		i.Name, i.Forwarded = https.Name, f
		return boxConfig{Redirects: []boxRedirect{i}}
	}},
}

// blocked fails unless a connection of the client to an origin comes to nothing.
func (l *lab) blocked(t *testing.T, to netip.AddrPort) {
	t.Helper()
	l.in(t, l.client, func() error {
		c, err := net.DialTimeout("tcp", to.String(), 1500*time.Millisecond)
		if err == nil {
			c.Close()
			t.Errorf("connected to %v", to)
		} else if !isTimeout(err) {
			t.Errorf("%v: %v, want silence", to, err)
		}
		return nil
	})
}

// taken fails unless a connection to an origin is a session of the box.
func (l *lab) taken(t *testing.T, b *box, to netip.AddrPort) {
	t.Helper()
	conn := l.dial(t, to)
	if e := b.next(t); e.Client != conn.local.String() || e.Origin != to.String() {
		t.Fatalf("session %+v, want client %v", e, conn.local)
	}
}

// kill ends the box at once.
func (b *box) kill() {
	b.cmd.Process.Kill()
	b.cmd.Wait()
}

// hang stops all threads of the box.
func (b *box) hang(t *testing.T) {
	t.Helper()
	pid := b.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("status %v, %v", status, err)
	}
}

// With Block nothing passes a process that is dead, however it died, until it runs
// again, or somebody takes the rule away.
func TestForwardedBlock(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.listen(t, l.origin, 443)
			l.listen(t, l.origin, 22)
			before := l.state(t)
			config := mode.box(Forwarded{Down: DownBlock})
			for _, end := range []struct {
				name string
				do   func(*box)
			}{{"killed", (*box).kill}, {"ended in order", func(b *box) { b.close(t) }}} {
				b := l.start(t, config)
				b.ready(t)
				for _, addr := range []netip.Addr{origin4, origin6} {
					l.taken(t, b, netip.AddrPortFrom(addr, 443))
				}
				end.do(b)
				for _, addr := range []netip.Addr{origin4, origin6} {
					l.blocked(t, netip.AddrPortFrom(addr, 443))
					if conn := l.dial(t, netip.AddrPortFrom(addr, 22)); conn.seen != conn.local {
						t.Errorf("%s: another port of %v: seen as %v", end.name, addr, conn.seen)
					}
				}
				if !strings.Contains(l.state(t), forwardedTableName("gateway")) {
					t.Errorf("%s: no table %s", end.name, forwardedTableName("gateway"))
				}
			}
			l.in(t, l.box, func() error { return Remove("gateway") })
			if diff := cmp.Diff(before, l.state(t)); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
			if conn := l.dial(t, netip.AddrPortFrom(origin6, 443)); conn.seen != conn.local {
				t.Errorf("routed: origin sees %v, client is %v", conn.seen, conn.local)
			}
			l.in(t, l.box, func() error {
				if err := Remove("gateway"); !errors.Is(err, unix.ENOENT) {
					t.Errorf("remove what is not there: %v", err)
				}
				return nil
			})
		})
	}
}

// A start without Block takes away the rule of the start before. A rule of an intake
// that runs cannot be taken away.
func TestForwardedWords(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.listen(t, l.origin, 443)
			before := l.state(t)
			first := l.start(t, mode.box(Forwarded{Down: DownBlock, QUIC: BlockQUIC}))
			first.ready(t)
			l.in(t, l.box, func() error {
				if err := Remove("gateway"); err == nil || !strings.Contains(err.Error(), "a process runs it") {
					t.Errorf("remove what runs: %v", err)
				}
				return nil
			})
			first.kill()
			l.blocked(t, netip.AddrPortFrom(origin4, 443))
			second := l.start(t, mode.box(Forwarded{QUIC: BlockQUIC}))
			second.ready(t)
			l.taken(t, second, netip.AddrPortFrom(origin4, 443))
			if state := l.state(t); !strings.Contains(state, forwardedTableName("gateway")) || strings.Contains(state, "counter name \"blocked\"") {
				t.Errorf("want rules that do not block:\n%s", state)
			}
			second.close(t)
			if diff := cmp.Diff(before, l.state(t)); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
			if conn := l.dial(t, netip.AddrPortFrom(origin4, 443)); conn.seen != conn.local {
				t.Errorf("routed: origin sees %v, client is %v", conn.seen, conn.local)
			}
		})
	}
}

// Who loads a firewall, which begins with a flush of the ruleset, does not open what is
// blocked.
func TestForwardedFlushed(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.in(t, l.box, func() error {
				probe, err := newOwnedTable("probe", tablePersist)
				if errors.Is(err, unix.EOPNOTSUPP) {
					t.Skip("the kernel has no tables that persist (Linux 6.9)")
				}
				if err != nil {
					return err
				}
				if err := probe.Close(); err != nil {
					return err
				}
				// A program that another test starts may hold the socket until it has begun.
				err = removeTable("probe")
				for deadline := time.Now().Add(5 * time.Second); errors.Is(err, unix.EPERM) && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
					err = removeTable("probe")
				}
				return err
			})
			l.listen(t, l.origin, 443)
			b := l.start(t, mode.box(Forwarded{Down: DownBlock}))
			b.ready(t)
			l.in(t, l.box, func() error { return exec.Command("nft", "flush", "ruleset").Run() })
			b.kill()
			l.blocked(t, netip.AddrPortFrom(origin4, 443))
			l.in(t, l.box, func() error { return Remove("gateway") })
			if state := l.state(t); strings.Contains(state, "clearspan") {
				t.Errorf("left:\n%s", state)
			}
		})
	}
}

// A kernel without such tables has the rules in one that belongs to nobody.
func TestForwardedOlder(t *testing.T) {
	l := newLab(t)
	before := l.state(t)
	for range 2 { // the second in the place of the first
		f, err := newForwardedTable(&nftMatch{name: "gateway", from: []string{"lan0"}}, Forwarded{Down: DownBlock, QUIC: BlockQUIC}, Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		f.noPersist = true
		l.in(t, l.box, f.add)
		l.in(t, l.box, func() error {
			return f.SetExempt(Exempt{Clients: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}})
		})
		l.in(t, l.box, f.remove)
		if state := l.state(t); strings.Contains(state, "flags owner") || !strings.Contains(state, "10.9.0.0/16") || !strings.Contains(state, `counter name "blocked" drop`) {
			t.Errorf("want rules of nobody:\n%s", state)
		}
	}
	l.in(t, l.box, func() error { return Remove("gateway") })
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// A process that hangs keeps its listeners: connections wait in the backlog, and
// nothing passes, whatever the word is.
func TestForwardedHung(t *testing.T) {
	for _, mode := range routedModes {
		for _, block := range []bool{true, false} {
			name := mode.name + " passes"
			if block {
				name = mode.name + " blocks"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t)
				l.listen(t, l.origin, 443)
				down := DownPass
				if block {
					down = DownBlock
				}
				b := l.start(t, mode.box(Forwarded{Down: down}))
				b.ready(t)
				b.hang(t)
				var c net.Conn
				l.in(t, l.client, func() (err error) {
					c, err = net.DialTimeout("tcp", netip.AddrPortFrom(origin4, 443).String(), 3*time.Second)
					return err
				})
				defer c.Close()
				c.SetReadDeadline(time.Now().Add(time.Second))
				if n, err := c.Read(make([]byte, 1)); n > 0 || !isTimeout(err) {
					t.Errorf("the origin says %d octets (%v)", n, err)
				}
				if err := b.cmd.Process.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
				c.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Errorf("after it goes on: %v", err)
				}
				if e := b.next(t); e.Client != addrPort(c.LocalAddr()).String() {
					t.Errorf("session %+v, want client %v", e, c.LocalAddr())
				}
			})
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// While an intake drains that blocks, nothing new passes.
func TestForwardedDrainBlock(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.listen(t, l.origin, 443)
			config := mode.box(Forwarded{Down: DownBlock, Strays: ResetStrays})
			config.Drain = true
			b := l.start(t, config)
			b.ready(t)
			open := l.dial(t, netip.AddrPortFrom(origin6, 443))
			b.next(t)
			b.stop()
			if e := b.next(t); !e.Closing {
				t.Fatalf("got %+v, want the intake to close", e)
			}
			l.blocked(t, netip.AddrPortFrom(origin4, 443))
			open.echo(t)
			open.Close()
			if e := b.next(t); !e.Closed {
				t.Errorf("got %+v, want the end", e)
			}
			l.blocked(t, netip.AddrPortFrom(origin6, 443))
		})
	}
}

// Fragments do not hide an opening segment.
func TestForwardedFragments(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.listen(t, l.origin, 443)
			b := l.start(t, mode.box(Forwarded{Down: DownBlock}))
			b.ready(t)
			b.kill()
			arrived := l.fragmentedSYN(t, 443)
			if arrived {
				t.Error("a SYN in fragments passes")
			}
			l.in(t, l.box, func() error { return Remove("gateway") })
			if !l.fragmentedSYN(t, 443) {
				t.Error("a SYN in fragments does not pass without the rule: the test proves nothing")
			}
		})
	}
}

// fragmentedSYN sends a SYN to the origin in two fragments, the first of 8 octets, and
// reports whether the origin answers.
func (l *lab) fragmentedSYN(t *testing.T, port uint16) (answered bool) {
	t.Helper()
	l.in(t, l.client, func() error {
		send, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(send)
		receive, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP)
		if err != nil {
			return err
		}
		defer unix.Close(receive)
		limit := unix.NsecToTimeval(int64(time.Second))
		if err := unix.SetsockoptTimeval(receive, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
			return err
		}
		for _, fragment := range cut(segment(netip.MustParseAddr("10.1.0.2"), origin4, port, tcpSYN), 8) {
			if err := unix.Sendto(send, fragment, 0, &unix.SockaddrInet4{Addr: origin4.As4()}); err != nil {
				return err
			}
		}
		buf := make([]byte, 1500)
		for {
			n, _, err := unix.Recvfrom(receive, buf, 0)
			if err != nil {
				return nil // silence
			}
			if n >= 34 && [4]byte(buf[12:]) == origin4.As4() && buf[33]&0x12 == 0x12 {
				answered = true
				return nil
			}
		}
	})
	return answered
}

// segment is an IP packet with a bare TCP header; the kernel fills in the IP checksum.
func segment(from, to netip.Addr, port uint16, flags byte) []byte {
	tcp := []byte{0x9c, 0x40, byte(port >> 8), byte(port), 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0}
	sum := uint32(6 + len(tcp))
	for _, words := range [][]byte{from.AsSlice(), to.AsSlice(), tcp} {
		for i := 0; i < len(words); i += 2 {
			sum += uint32(words[i])<<8 | uint32(words[i+1])
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	tcp[16], tcp[17] = byte(^sum>>8), byte(^sum)
	p := []byte{0x45, 0, 0, byte(ipv4Header + len(tcp)), 0x12, 0x34, 0, 0, 64, 6, 0, 0}
	return append(append(append(p, from.AsSlice()...), to.AsSlice()...), tcp...)
}

// cut makes two fragments of a packet, the first with so many octets, a multiple of 8.
func cut(packet []byte, at int) [][]byte {
	fragment := func(offset int, more byte, body []byte) []byte {
		p := append(append([]byte(nil), packet[:ipv4Header]...), body...)
		p[3], p[6], p[7] = byte(len(p)), more, byte(offset/8)
		return p
	}
	body := packet[ipv4Header:]
	return [][]byte{fragment(0, 0x20, body[:at]), fragment(at, 0, body[at:])}
}

// Whatever other flags an opening segment has, it is taken, or blocked.
func TestForwardedFlags(t *testing.T) {
	for _, mode := range routedModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			var seen int // by the origin
			l.in(t, l.origin, func() (err error) {
				seen, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
				return err
			})
			defer unix.Close(seen)
			const reset = 0x04
			arrive := func(flags ...byte) (arrived []byte) {
				l.in(t, l.client, func() error {
					send, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
					if err != nil {
						return err
					}
					defer unix.Close(send)
					packets := make([][]byte, 0, len(flags)+1)
					for _, f := range flags {
						packets = append(packets, segment(netip.MustParseAddr("10.1.0.2"), origin4, 443, f))
					}
					packets = append(packets, segment(netip.MustParseAddr("10.1.0.2"), origin4, 22, reset)) // always arrives
					for _, p := range packets {
						if err := unix.Sendto(send, p, 0, &unix.SockaddrInet4{Addr: origin4.As4()}); err != nil {
							return err
						}
					}
					return nil
				})
				tempo.Until(t, "the last segment arrives", func() bool {
					buf := make([]byte, 100)
					n, _, err := unix.Recvfrom(seen, buf, 0)
					if err == nil && n >= 34 && buf[33] != reset {
						arrived = append(arrived, buf[33])
					}
					return err == nil && n >= 34 && buf[33] == reset
				})
				return arrived
			}
			flags := []byte{0x02, 0x03, 0x06, 0x0a, 0x22, 0xc2} // SYN, and FIN, RST, PSH, URG, ECE and CWR
			if got := arrive(flags...); !bytes.Equal(got, flags) {
				t.Fatalf("without the box, %x arrive", got)
			}
			b := l.start(t, mode.box(Forwarded{Down: DownBlock}))
			b.ready(t)
			if got := arrive(flags...); len(got) > 0 {
				t.Errorf("%x pass a box that runs", got)
			}
			b.kill()
			if got := arrive(flags...); len(got) > 0 {
				t.Errorf("%x pass a box that is dead", got)
			}
		})
	}
}
