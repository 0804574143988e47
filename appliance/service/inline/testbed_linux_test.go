package inline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/netspace"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/hack/netlab"
)

// testbed is a box with two legs and a machine between them, the device:
//
//	box chain0 -- dev0 device dev1 -- chain1 box
type testbed struct {
	t           testing.TB
	lab         *netlab.Lab
	box, device *netlab.Namespace
	log         *logBuffer
	*Device
}

var (
	client4    = netip.MustParseAddrPort("192.0.2.7:40007")
	origin4    = netip.MustParseAddrPort("203.0.113.9:443")
	origin8443 = netip.AddrPortFrom(origin4.Addr(), 8443)
	client6    = netip.MustParseAddrPort("[2001:db8:1::7]:40007")
	origin6    = netip.MustParseAddrPort("[2001:db8:2::9]:443")
)

// names numbers devices: they are the machine's.
var names struct {
	sync.Mutex
	n int
}

// newLab lays the cables; nothing is in the device yet.
func newLab(t testing.TB) *testbed {
	b := &testbed{t: t, lab: netlab.ForTest(t), log: new(logBuffer)}
	var err error
	if b.box, err = b.lab.Namespace("box"); err != nil {
		t.Fatal(err)
	}
	if b.device, err = b.lab.Namespace("device"); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		err := b.lab.Link(
			netlab.End{Namespace: b.box, Name: fmt.Sprintf("chain%d", i)},
			netlab.End{Namespace: b.device, Name: fmt.Sprintf("dev%d", i), Silent: true},
			netlab.LinkOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// exact has frames in the device as they are on a cable.
func (b *testbed) exact() {
	for i := range 2 {
		for _, e := range []struct {
			n    *netlab.Namespace
			name string
		}{{b.box, "chain"}, {b.device, "dev"}} {
			if err := e.n.SetOffload(fmt.Sprint(e.name, i), false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

// bridge makes the device a bridge that says nothing itself.
func (b *testbed) bridge() {
	b.run("ip", "link", "add", "name", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
	for _, name := range []string{"dev0", "dev1"} {
		b.run("ip", "link", "set", "dev", name, "master", "br0")
	}
	if err := b.device.Sysctl("net/ipv6/conf/br0/disable_ipv6", "1"); err != nil {
		b.t.Fatal(err)
	}
	b.run("ip", "link", "set", "dev", "br0", "up")
}

// run runs a program in the device.
func (b *testbed) run(name string, args ...string) string {
	b.t.Helper()
	var out, says bytes.Buffer
	cmd := b.device.Command(context.Background(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &says
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &says)
	}
	return out.String()
}

// rules gives the device nftables rules.
func (b *testbed) rules(text string) {
	b.t.Helper()
	cmd := b.device.Command(context.Background(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("nft: %v\n%s", err, out)
	}
}

// open opens the device.
func (b *testbed) open(change func(*Config)) {
	b.t.Helper()
	names.Lock()
	names.n++
	name := fmt.Sprintf("%s-%d", b.box.FullName(), names.n)
	names.Unlock()
	c := Config{
		Name: name, Legs: [2]string{"chain0", "chain1"}, Port: 80,
		Probe: Probe{Interval: -1}, Timeout: 3 * time.Second,
		Logger: slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&c)
	}
	d, err := newDevice(c, b.host())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := d.Close(); err != nil {
			b.t.Error(err)
		}
		if b.t.Failed() {
			b.t.Log(b.log)
		}
	})
	b.Device = d
	b.await("device is up", d.Up)
}

// host is where the legs are.
func (b *testbed) host() *netspace.Host {
	b.t.Helper()
	host, err := netspace.HostNamed(b.box.FullName())
	if err != nil {
		b.t.Fatal(err)
	}
	return host
}

// await waits for a condition for at most 20 s.
func (b *testbed) await(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited for too long: %s", what)
		}
	}
}

// counter reads one of the device's counters.
func (b *testbed) counter(word string) uint64 {
	b.t.Helper()
	all, err := b.Counters()
	if err != nil {
		b.t.Fatal(err)
	}
	n, ok := all[word]
	if !ok {
		b.t.Fatalf("no counter %q in %v", word, all)
	}
	return n
}

// session is one that is carried, seen from its two ends.
type session struct {
	*decrypt.Session
	client, origin *net.TCPConn
	err            error
	done           chan struct{} // closed when Carry has returned err
}

// carry starts to carry a session.
func (b *testbed) carry(d decrypt.Service, client, origin netip.AddrPort) *session {
	b.t.Helper()
	s := &session{Session: &decrypt.Session{ID: "test", Client: client, Origin: origin}, done: make(chan struct{})}
	near, c := b.pair()
	far, o := b.pair()
	s.client, s.origin = c, o
	go func() {
		defer close(s.done)
		s.err = d.Carry(context.Background(), s.Session, tcpEnd{near}, tcpEnd{far})
		if s.err != nil {
			tcpEnd{near}.Abort()
			tcpEnd{far}.Abort()
		}
		near.Close()
		far.Close()
	}()
	b.t.Cleanup(func() {
		c.Close()
		o.Close()
		<-s.done
	})
	return s
}

// end waits for the end of a session, and for a word about it.
func (b *testbed) end(s *session, d *Device, word string) {
	b.t.Helper()
	select {
	case <-s.done:
	case <-time.After(30 * time.Second):
		b.t.Fatal("session has not ended")
	}
	if got := s.Services()[d.config.Name]; got != word {
		b.t.Errorf("session ended as %q (%v), want %q", got, s.err, word)
	}
}

// pair returns the ends of a connection.
func (b *testbed) pair() (x, y *net.TCPConn) {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	o, err := l.Accept()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, conn := range []net.Conn{c, o} {
		conn.SetDeadline(time.Now().Add(60 * time.Second))
	}
	return c.(*net.TCPConn), o.(*net.TCPConn)
}

// tcpEnd is a leg without TLS.
type tcpEnd struct{ *net.TCPConn }

func (e tcpEnd) Abort() {
	e.SetLinger(0)
	e.Close()
}

// exchange sends request and answer through a session and ends it in order.
func (b *testbed) exchange(s *session, request, answer string) {
	b.t.Helper()
	if err := talk(s, request, answer); err != nil {
		b.t.Error(err)
	}
}

func talk(s *session, request, answer string) error {
	io.WriteString(s.client, request)
	s.client.CloseWrite()
	got, err := io.ReadAll(s.origin)
	if string(got) != request || err != nil {
		return fmt.Errorf("origin read %.100q, %v, want %.100q", got, err, request)
	}
	io.WriteString(s.origin, answer)
	s.origin.Close()
	got, err = io.ReadAll(s.client)
	if string(got) != answer || err != nil {
		return fmt.Errorf("client read %.100q, %v, want %.100q", got, err, answer)
	}
	return nil
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
