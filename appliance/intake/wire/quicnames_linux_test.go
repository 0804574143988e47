package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt/quic"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/quicclient"
	"github.com/clearspan/clearspan/hack/tempo"
)

// judgeQUIC has the daemon refuse names in evil.test and hellos that cannot be read,
// or, where QUIC is refused, everything. It says what it knew of each flow.
func judgeQUIC(s settings) func(client, origin netip.AddrPort, payload []byte) intake.QUICVerdict {
	if !s.Judge {
		return nil
	}
	peek := quic.NewPeek(quic.Config{Judge: func(r *quic.Result) quic.Verdict {
		if r.Hello == nil {
			fmt.Printf("quic - %v\n", r.State)
			return quic.Refuse
		}
		fmt.Printf("quic %s %v %d\n", r.Hello.ServerName, r.State, r.Datagrams)
		if s.QUIC == intake.BlockQUIC || strings.HasSuffix(r.Hello.ServerName, "evil.test") {
			return quic.Refuse
		}
		return quic.Pass
	}})
	verdicts := map[quic.Verdict]intake.QUICVerdict{quic.Undecided: intake.QUICUndecided, quic.Pass: intake.QUICPass, quic.Refuse: intake.QUICRefuse}
	return func(client, origin netip.AddrPort, payload []byte) intake.QUICVerdict {
		return verdicts[peek.Datagram(client, origin, payload)]
	}
}

// quicHello returns a hello in datagrams of a connection.
func quicHello(t testing.TB, id, name string, datagrams int) [][]byte {
	t.Helper()
	h, err := quicclient.Hello(name, "h3")
	if err != nil {
		t.Fatal(err)
	}
	return quicclient.Datagrams([]byte(id), h, datagrams)
}

// quicOrigin receives datagrams on a port and answers each with a long header of its own.
type quicOrigin struct{ got chan []byte }

func (b *bench) quicOrigin(port string) *quicOrigin {
	b.t.Helper()
	l, err := b.Origin.ListenPacket("udp", port)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { l.Close() })
	o := &quicOrigin{got: make(chan []byte, 100)}
	go func() {
		for {
			p := make([]byte, 3000)
			n, from, err := l.ReadFrom(p)
			if err != nil {
				return
			}
			select {
			case o.got <- p[:n]:
			default: // far too many
			}
			answer := append([]byte{0xc0, 0, 0, 0, 1, 0, 4}, "from origin"...)
			l.WriteTo(answer, from)
		}
	}()
	return o
}

// receive returns n datagrams, and fails if there are others.
func (o *quicOrigin) receive(t *testing.T, n int) (all [][]byte) {
	t.Helper()
	for limit := time.After(20 * time.Second); len(all) < n; {
		select {
		case p := <-o.got:
			all = append(all, p)
		case <-limit:
			t.Errorf("%d of %d datagrams arrived", len(all), n)
			return all
		}
	}
	time.Sleep(50 * time.Millisecond)
	for {
		select {
		case p := <-o.got:
			t.Errorf("a datagram of %d octets arrived that ought not to", len(p))
		default:
			return all
		}
	}
}

// said waits for a line of the daemon.
func (p *daemonProcess) said(line string) {
	p.b.t.Helper()
	tempo.Until(p.b.t, "the daemon says "+line, func() bool { return slices.Contains(p.seen(), line) })
}

// refusedBy reports whether the next read of a socket has the port unreachable.
func refusedBy(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, err := conn.Read(make([]byte, 100))
	return errors.Is(err, syscall.ECONNREFUSED)
}

// QUIC that is refused is known by name, whatever the order of its datagrams; nothing
// goes to the origin.
func TestQUICNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := b.quicOrigin(":443")
	p := b.start(settings{QUIC: intake.BlockQUIC, Judge: true})
	b.await(true)
	for i, tt := range []struct {
		name, address string
		datagrams     int
		reversed      bool
	}{
		{"one", lab.OriginV4, 1, false}, {"two", lab.OriginV4, 2, false}, {"turned", lab.OriginV6, 2, true}, {"three", lab.OriginV6, 3, false},
	} {
		all := quicHello(t, tt.name, tt.name+".a.test", tt.datagrams)
		if tt.reversed {
			slices.Reverse(all)
		}
		if err := b.Client.SetOffload("eth0", i%2 == 0, netlab.TXChecksum); err != nil {
			t.Fatal(err)
		}
		// On a busy machine the refusal may come before the hello is whole.
		tempo.Until(t, tt.name+" is known", func() bool {
			conn, err := b.Client.Dial("udp", net.JoinHostPort(tt.address, "443"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			start := time.Now()
			for _, d := range all {
				if _, err = conn.Write(d); err != nil {
					break
				}
			}
			refused := err == nil && refusedBy(conn)
			t.Logf("%s: refused after %v", tt.name, time.Since(start))
			if err == nil && !refused || err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: not refused, %v", tt.name, err)
			}
			if conn.Write(all[0]); !refusedBy(conn) {
				t.Errorf("%s: not refused at the second try", tt.name)
			}
			return slices.Contains(p.seen(), fmt.Sprintf("quic %s.a.test whole %d", tt.name, tt.datagrams))
		})
	}
	// A hello that is never whole is refused in time.
	conn, err := b.Client.Dial("udp", lab.OriginV4+":443")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.Write(quicHello(t, "half", "half.a.test", 2)[0]); !refusedBy(conn) {
		t.Error("half a hello: not refused")
	}
	o.receive(t, 0)
	s := b.status()
	if s.Paths["quic-held"] == 0 || s.Paths["quic-blocked"] == 0 || s.Paths["quic-unseen"] != 0 {
		t.Errorf("paths %v", s.Paths)
	}
	p.stop()
}

// Where QUIC may pass, what a rule terminates does not: no datagram arrives. The rest
// arrives as it was sent, in order, and is answered.
func TestQUICPolicy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		tagged  bool
		offload bool
	}{{"untagged", false, false}, {"VLAN", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if tt.tagged {
				for _, ns := range []*netlab.Namespace{b.Client, b.Origin} {
					if err := lab.Tag(b.Lab, ns, "eth0", 77); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := b.Client.SetOffload("eth0", tt.offload, netlab.TXChecksum); err != nil {
				t.Fatal(err)
			}
			o := b.quicOrigin(":443")
			p := b.start(settings{Judge: true})
			b.await(true)
			dial := func(address string) net.Conn {
				conn, err := b.Client.Dial("udp", net.JoinHostPort(address, "443"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				return conn
			}
			send := func(conn net.Conn, all ...[]byte) {
				t.Helper()
				for _, d := range all {
					if _, err := conn.Write(d); err != nil {
						t.Error(err)
					}
				}
			}
			for _, address := range []string{lab.OriginV4, lab.OriginV6} {
				good := dial(address)
				all := quicHello(t, "good", "www.a.test", 2)
				send(good, all[1])
				o.receive(t, 0)
				send(good, all[0])
				if got := o.receive(t, 2); !slices.EqualFunc(got, [][]byte{all[1], all[0]}, bytes.Equal) {
					t.Error("the datagrams arrived changed")
				}
				good.SetReadDeadline(time.Now().Add(20 * time.Second))
				answer := make([]byte, 100)
				if n, err := good.Read(answer); err != nil || !bytes.HasSuffix(answer[:n], []byte("from origin")) {
					t.Errorf("answer %q, %v", answer[:n], err)
				}
				// What comes after the handshake passes at once, and before it.
				send(good, []byte("\x40 short header"))
				o.receive(t, 1)
				send(dial(address), []byte("\x40 short header of an older connection"))
				o.receive(t, 1)

				evil := dial(address)
				send(evil, quicHello(t, "evil", "www.evil.test", 2)...)
				if !refusedBy(evil) {
					t.Error("not refused by name")
				}
				if evil.Write([]byte("\x40 short header")); !refusedBy(evil) {
					t.Error("not refused for good")
				}
				// Another connection on the same ports.
				second := dial(address)
				send(second, quicHello(t, "first", "www.b.test", 1)...)
				o.receive(t, 1)
				second.SetReadDeadline(time.Now().Add(20 * time.Second))
				second.Read(make([]byte, 100))
				send(second, quicHello(t, "second", "b.evil.test", 1)...)
				if !refusedBy(second) {
					t.Error("a second connection was not refused")
				}
				o.receive(t, 0)
			}
			for _, line := range []string{"quic www.a.test whole 2", "quic www.evil.test whole 2", "quic b.evil.test whole 2"} {
				p.said(line)
			}
			p.stop()
			conn := dial(lab.OriginV4)
			send(conn, quicHello(t, "evil", "www.evil.test", 1)...)
			o.receive(t, 1) // nobody is there: down
		})
	}
}

// Several datagrams in one frame of the kernel are judged and sent as several.
func TestQUICSegments(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.Client.SetOffload("eth0", true, netlab.TXChecksum); err != nil {
		t.Fatal(err)
	}
	o := b.quicOrigin(":443")
	p := b.start(settings{Judge: true})
	b.await(true)
	for i, name := range []string{"www.a.test", "www.evil.test"} {
		conn, err := b.Client.Dial("udp", lab.OriginV4+":443")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		raw, err := conn.(*net.UDPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, quicclient.Size) })
		if err != nil {
			t.Fatal(err)
		}
		all := quicHello(t, "segments", name, 3)
		if _, err := conn.Write(slices.Concat(all...)); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if !refusedBy(conn) {
				t.Error("not refused")
			}
			o.receive(t, 0)
			continue
		}
		if got := o.receive(t, 3); !slices.EqualFunc(got, all, bytes.Equal) {
			t.Error("the datagrams arrived changed")
		}
	}
	p.said("quic www.evil.test whole 3")
	p.stop()
}

// A datagram with a wrong sum is nobody's, and judged by nobody; it gets no right one.
func TestQUICDamaged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := b.quicOrigin(":443")
	p := b.start(settings{Judge: true})
	b.await(true)
	tap := openTap(t, b.Client)
	payload := quicHello(t, "damaged", "www.a.test", 1)[0]
	frame := octets(t, there, "0800", "450004cc", "00010000", "4011", "0000", ipv4, "c35001bb04b80000")
	frame = append(frame, payload...)
	header := frame[14:34]
	var sum uint32
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum>>16+sum))
	for _, wrong := range []bool{true, false} {
		if frame[40], frame[41] = 0, 0; wrong {
			frame[40] = 0x12 // of no sum, it becomes a wrong one
		}
		if err := tap.send(frame); err != nil {
			t.Fatal(err)
		}
		if wrong {
			time.Sleep(100 * time.Millisecond)
			if got := p.seen(); len(got) > 0 {
				t.Errorf("judged: %q", got)
			}
			o.receive(t, 0)
		}
	}
	o.receive(t, 1)
	p.said("quic www.a.test whole 1")
	p.stop()
}

// A flood of Initials by made-up clients takes no connection's place: TCP is taken,
// and QUIC is judged when the flood is over.
func TestQUICFlood(t *testing.T) {
	t.Parallel()
	for _, refuse := range []intake.QUIC{intake.BlockQUIC, intake.PassQUIC} {
		t.Run(string(refuse), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			o := b.quicOrigin(":443")
			p := b.start(settings{QUIC: refuse, Judge: true})
			b.await(true)
			before := p.memory(t)
			tap := openTap(t, b.Client)
			half := quicHello(t, "flood", "www.a.test", 2)[0]
			frame := append(octets(t, there, "0800", "450004cc", "00010000", "4011", "0000", ipv4, "c35001bb04b80000"), half...)
			for i := range 60_000 {
				copy(frame[26:30], []byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
				frame[24], frame[25] = 0, 0
				var sum uint32
				for at := 14; at < 34; at += 2 {
					sum += uint32(binary.BigEndian.Uint16(frame[at:]))
				}
				binary.BigEndian.PutUint16(frame[24:], ^uint16(sum>>16+sum&0xffff))
				if err := tap.send(frame); err != nil && err != unix.ENOBUFS {
					t.Fatal(err)
				}
				if i%20_000 == 10_000 {
					if err := b.exchange("tcp", echoV4, []byte("hello\n")); err != nil {
						t.Errorf("amid the flood: %v", err)
					}
				}
			}
			p.expectSessions(3)
			grown := p.memory(t) - before
			if grown > 128<<20 {
				t.Errorf("the daemon grew by %d MiB", grown>>20)
			}
			tempo.Until(t, "a flow is judged", func() bool {
				conn, err := b.Client.Dial("udp", lab.OriginV4+":443")
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.Write(quicHello(t, "after", "after.evil.test", 1)[0])
				return refusedBy(conn) && slices.Contains(p.seen(), "quic after.evil.test whole 1")
			})
			o.receive(t, 0)
			paths := b.status().Paths
			t.Logf("%d frames held, %d unseen, the daemon grew by %d MiB", paths["quic-held"], paths["quic-unseen"], grown>>20)
			p.stop()
		})
	}
}

// expectSessions waits for lines about sessions, and leaves those about QUIC out.
func (p *daemonProcess) expectSessions(n int) {
	p.b.t.Helper()
	tempo.Until(p.b.t, fmt.Sprintf("%d sessions are taken", n), func() bool {
		taken := 0
		for _, line := range p.seen() {
			if strings.HasPrefix(line, "session ") {
				taken++
			}
		}
		return taken == n
	})
}

// memory returns how much of the daemon is in memory, in octets.
func (p *daemonProcess) memory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

// Where selected connections are blocked while nobody is there, so is QUIC, also where
// it may pass otherwise.
func TestQUICDown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	o := b.quicOrigin(":443")
	p := b.start(settings{Judge: true, Down: intake.DownBlock})
	b.await(true)
	send := func() net.Conn {
		conn, err := b.Client.Dial("udp", lab.OriginV4+":443")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.Write(quicHello(t, "down", "www.a.test", 1)[0])
		return conn
	}
	send()
	o.receive(t, 1)
	p.stop()
	if !refusedBy(send()) {
		t.Error("not refused while nobody is there")
	}
	o.receive(t, 0)
}
