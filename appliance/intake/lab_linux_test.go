package intake

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// lab is a client, a box that routes, and an origin, each in a network namespace
// without a name: nothing is left when the test process is gone.
type lab struct {
	client, box, origin netns.NsHandle

	window int // octets that clients receive ahead; 0: the default
}

var (
	origin4, origin6 = netip.MustParseAddr("10.2.0.2"), netip.MustParseAddr("fd02::2")
	box4, box6       = netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("fd01::1")
)

// newLab skips the test without privileges, except in CI.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := new(lab)
	for _, ns := range []*netns.NsHandle{&l.client, &l.box, &l.origin} {
		*ns = l.namespace(t)
	}
	l.in(t, l.box, func() error {
		return errors.Join(
			sysctl("ipv4/ip_forward", "1"), sysctl("ipv6/conf/all/forwarding", "1"),
			sysctl("ipv4/conf/all/rp_filter", "1"),
			veth("lan0", l.client), veth("wan0", l.origin),
			address("lan0", "10.1.0.1/24", "fd01::1/64"), address("wan0", "10.2.0.1/24", "fd02::1/64"))
	})
	l.in(t, l.client, func() error {
		return errors.Join(address("eth0", "10.1.0.2/24", "fd01::2/64"), gateway("10.1.0.1"), gateway("fd01::1"))
	})
	l.in(t, l.origin, func() error {
		return errors.Join(address("eth0", "10.2.0.2/24", "fd02::2/64"), gateway("10.2.0.1"), gateway("fd02::1"))
	})
	l.settle(t)
	return l
}

// namespace makes one more.
func (l *lab) namespace(t *testing.T) (ns netns.NsHandle) {
	t.Helper()
	err := locked(func() (err error) { ns, err = netns.New(); return err })
	if errors.Is(err, unix.EPERM) && os.Getenv("CI") == "" {
		t.Skip("needs CAP_NET_ADMIN and CAP_SYS_ADMIN")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	l.in(t, ns, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		// Addresses that the kernel makes appear late: address adds them.
		return errors.Join(netlink.LinkSetUp(lo), sysctl("ipv6/conf/default/addr_gen_mode", "1"))
	})
	return ns
}

// settle waits until the kernel has noticed that the links are up.
func (l *lab) settle(t *testing.T) {
	t.Helper()
	tempo.Until(t, "links up", func() bool {
		state := l.state(t)
		for _, want := range []string{"anycast fd01::", "anycast fd02::", "anycast fe80:: dev lan0", "anycast fe80:: dev wan0"} {
			if !strings.Contains(state, want) {
				return false
			}
		}
		return !strings.Contains(state, "linkdown")
	})
}

// locked runs f on a thread that ends with it.
func locked(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// in runs f inside ns.
func (l *lab) in(t *testing.T, ns netns.NsHandle, f func() error) {
	t.Helper()
	err := locked(func() error {
		if err := netns.Set(ns); err != nil {
			return err
		}
		return f()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func veth(name string, peer netns.NsHandle) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(peer)})
}

func address(link string, addrs ...string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return err
	}
	for _, a := range append(addrs, linkLocal(l)) {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(l, addr); err != nil {
			return err
		}
	}
	return nil
}

// linkLocal makes an address of the hardware address, RFC 4291, Appendix A.
func linkLocal(l netlink.Link) string {
	m := l.Attrs().HardwareAddr
	return fmt.Sprintf("fe80::%02x%02x:%02xff:fe%02x:%02x%02x/64", m[0]^2, m[1], m[2], m[3], m[4], m[5])
}

func gateway(addr string) error { return route("", addr, 0) }

// route leads to dst, a prefix or "" for the default, over addr; mss is what is
// announced to the other end.
func route(to, addr string, mss int) error {
	dst := &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
	if strings.Contains(addr, ":") {
		dst = &net.IPNet{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}
	}
	if to != "" {
		var err error
		if _, dst, err = net.ParseCIDR(to); err != nil {
			return err
		}
	}
	return netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.ParseIP(addr), AdvMSS: mss})
}

func sysctl(name, value string) error {
	return os.WriteFile(sysctls+"/"+name, []byte(value), 0)
}

// listen serves port in ns on both families: each connection is told the address
// that it is seen to come from, then it gets back what it sends, until it ends.
func (l *lab) listen(t *testing.T, ns netns.NsHandle, port uint16) {
	t.Helper()
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	for _, network := range []string{"tcp4", "tcp6"} {
		l.in(t, ns, func() error {
			listener, err := net.Listen(network, fmt.Sprintf(":%d", port))
			if err != nil {
				return err
			}
			all.Go(func() {
				for {
					c, err := listener.Accept()
					if err != nil {
						return
					}
					all.Go(func() {
						defer c.Close()
						c.SetDeadline(time.Now().Add(20 * time.Second))
						fmt.Fprintln(c, addrPort(c.RemoteAddr()))
						io.Copy(c, c)
					})
				}
			})
			t.Cleanup(func() { listener.Close() })
			return nil
		})
	}
}

// talk is a client's connection to one of those listeners.
type talk struct {
	net.Conn
	lines *bufio.Reader
	local netip.AddrPort // client's own address
	seen  netip.AddrPort // as it looks from the other end
}

func (l *lab) dial(t *testing.T, to netip.AddrPort) *talk {
	t.Helper()
	c := new(talk)
	l.in(t, l.client, func() (err error) {
		d := net.Dialer{Timeout: 3 * time.Second, Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				if l.window > 0 {
					unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, l.window)
				}
			})
		}}
		c.Conn, err = d.Dial("tcp", to.String())
		return err
	})
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	c.lines = bufio.NewReader(c)
	c.local = addrPort(c.LocalAddr())
	line, err := c.lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c.seen = netip.MustParseAddrPort(strings.TrimSpace(line))
	c.echo(t)
	return c
}

func (c *talk) echo(t *testing.T) {
	t.Helper()
	fmt.Fprintln(c, "ping")
	if line, err := c.lines.ReadString('\n'); line != "ping\n" {
		t.Fatalf("read %q (%v)", line, err)
	}
}

// readAll sends size octets and no more, and reads them back slowly: the session
// ends before the client has read everything.
func (c *talk) readAll(t *testing.T, size int) {
	t.Helper()
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	c.Conn.(*net.TCPConn).CloseWrite()
	c.SetDeadline(time.Now().Add(4 * time.Second))
	for n := 0; ; time.Sleep(time.Millisecond) {
		got, err := c.Read(make([]byte, 4096))
		n += got
		if err == io.EOF && n == size {
			return
		}
		if err != nil {
			t.Fatalf("read %d octets (%v), want %d", n, err, size)
		}
	}
}

// state is what an intake changes in the kernel, as the tools of the system
// print it.
func (l *lab) state(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, command := range []string{
		"nft list ruleset", "ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all",
	} {
		words := strings.Fields(command)
		l.in(t, l.box, func() error {
			out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
			fmt.Fprintf(&all, "# %s\n%s", command, out)
			return err
		})
	}
	return all.String()
}

// The box runs in a process of its own, this test binary with boxEnv set: it can
// be killed, and all of its threads are inside the namespace.
const boxEnv = "INTAKE_TEST_BOX"

type boxConfig struct {
	Intakes   []boxIntake
	Redirects []boxRedirect
	Proxies   []Explicit
	Names     names // that proxies know
	Twice     bool  // open each origin leg twice, use the second one
	Drain     bool  // let sessions end by themselves
	Watch     bool  // say which datagrams of QUIC there are
	Verdict   QUICVerdict
}

type boxIntake struct {
	Name string
	TProxy
}

type boxRedirect struct {
	Name string
	Redirect
}

// boxEvent is a line that the box prints.
type boxEvent struct {
	Ready, Closing, Closed bool
	Error                  string
	Intake, Client, Origin string // a session
	MAC                    string
	Event                  string
	QUIC                   int // octets of a datagram of QUIC, between Client and Origin
}

// runBox runs intakes until its input says "close" or ends.
func runBox(config string) int {
	var c boxConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return 2
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(e boxEvent) { mu.Lock(); defer mu.Unlock(); out.Encode(e) }
	var intakes []Intake
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	options := func(name string) Options {
		var watch func(client, origin netip.AddrPort, payload []byte) QUICVerdict
		if c.Watch {
			watch = func(client, origin netip.AddrPort, payload []byte) QUICVerdict {
				say(boxEvent{Client: client.String(), Origin: origin.String(), QUIC: len(payload)})
				return c.Verdict
			}
		}
		return Options{
			QUIC:   watch,
			Name:   name,
			Count:  func(e Event) { say(boxEvent{Event: e.String()}) },
			Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
			Handler: func(ctx context.Context, in *decrypt.Incoming) {
				say(boxEvent{Intake: in.Intake, Client: in.Client.String(), Origin: in.Origin.String(), MAC: net.HardwareAddr(in.Link.ClientMAC[:]).String()})
				if c.Twice {
					first, err := in.Dial(ctx)
					if err != nil {
						return
					}
					defer first.Close()
				}
				splice(ctx, in)
			},
		}
	}
	run := func(intake Intake, err error) {
		if err != nil {
			say(boxEvent{Error: err.Error()})
			return
		}
		intakes = append(intakes, intake)
		go intake.Serve(ctx)
	}
	for _, i := range c.Intakes {
		run(NewTProxy(i.TProxy, options(i.Name)))
	}
	for _, i := range c.Redirects {
		run(NewRedirect(i.Redirect, options(i.Name)))
	}
	for _, i := range c.Proxies {
		o := options("proxy")
		o.Resolver = c.Names
		run(NewExplicit(i, o))
	}
	say(boxEvent{Ready: true})
	bufio.NewReader(os.Stdin).ReadString('\n')
	for _, i := range intakes {
		i.Close()
	}
	say(boxEvent{Closing: true})
	if !c.Drain {
		cancel()
	}
	for _, i := range intakes {
		i.Wait()
	}
	say(boxEvent{Closed: true})
	return 0
}

// box is that process.
type box struct {
	cmd    *exec.Cmd
	stdout *os.File
	events *json.Decoder
	stop   func()
}

func (l *lab) start(t *testing.T, config boxConfig) *box {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), boxEnv+"="+string(text), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	if !testing.Verbose() {
		cmd.Stderr = nil
	}
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	l.in(t, l.box, cmd.Start)
	b := &box{cmd: cmd, stdout: stdout.(*os.File), events: json.NewDecoder(stdout)}
	b.stop = sync.OnceFunc(func() { stdin.Close() })
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return b
}

// next returns the box's next line.
func (b *box) next(t *testing.T) (e boxEvent) {
	t.Helper()
	b.stdout.SetReadDeadline(time.Now().Add(5 * time.Second))
	if err := b.events.Decode(&e); err != nil {
		t.Fatalf("box says nothing more: %v", err)
	}
	return e
}

// ready fails unless the box comes up.
func (b *box) ready(t *testing.T) {
	t.Helper()
	if e := b.next(t); !e.Ready {
		t.Fatalf("box does not come up: %+v", e)
	}
}

// close ends the box in order.
func (b *box) close(t *testing.T) {
	t.Helper()
	b.stop()
	for !b.next(t).Closed {
	}
	if err := b.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
