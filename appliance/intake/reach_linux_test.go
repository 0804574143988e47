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

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt/policy"
)

func TestBounds(t *testing.T) {
	stranger := netip.MustParseAddr("192.0.2.7")
	b := destinationGuard{[]netip.Prefix{netip.MustParsePrefix("127.0.0.53/32"), netip.MustParsePrefix("fe80::/10")}}
	for _, c := range []struct {
		name, client, to string
		permitted        bool
	}{
		{"other machine", "192.0.2.7", "192.0.2.8", true},
		{"private network", "192.0.2.7", "10.9.8.7", true},
		{"loopback", "192.0.2.7", "127.0.0.1", false},
		{"any loopback address", "192.0.2.7", "127.254.3.2", false},
		{"loopback that is opened", "192.0.2.7", "127.0.0.53", true},
		{"loopback IPv6", "192.0.2.7", "::1", false},
		{"loopback as IPv6", "192.0.2.7", "::ffff:127.0.0.1", false},
		{"opened loopback as IPv6", "192.0.2.7", "::ffff:127.0.0.53", true},
		{"loopback in a compatible address", "192.0.2.7", "::127.0.0.1", false},
		{"loopback behind NAT64", "192.0.2.7", "64:ff9b::127.0.0.1", false},
		{"loopback in 6to4", "192.0.2.7", "2002:7f00:1::", false},
		{"other machine behind NAT64", "192.0.2.7", "64:ff9b::192.0.2.8", true},
		{"unspecified", "192.0.2.7", "0.0.0.0", false},
		{"this network", "192.0.2.7", "0.1.2.3", false},
		{"unspecified IPv6", "192.0.2.7", "::", false},
		{"link-local", "192.0.2.7", "169.254.1.1", false},
		{"link-local that is opened", "192.0.2.7", "fe80::1", true},
		{"metadata", "192.0.2.7", "169.254.169.254", false},
		{"metadata as IPv6", "192.0.2.7", "::ffff:169.254.169.254", false},
		{"metadata of Amazon IPv6", "192.0.2.7", "fd00:ec2::254", false},
		{"unique local", "192.0.2.7", "fd00:ec2::253", true},
		{"client on this box", "127.0.0.1", "127.0.0.1", true},
		{"client on this box IPv6", "::1", "169.254.169.254", true},
	} {
		err := b.permit(netip.MustParseAddr(c.client), netip.MustParseAddr(c.to))
		if (err == nil) != c.permitted {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
	if err := b.permit(netip.Addr{}, netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Errorf("configured destination: %v", err)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		own := netip.MustParsePrefix(a.String()).Addr()
		if err := b.permit(stranger, own); err == nil && !own.IsLinkLocalUnicast() {
			t.Errorf("%s, of this box, is permitted", own)
		}
		if err := b.permit(own, netip.MustParseAddr("127.0.0.1")); err != nil && !own.IsLinkLocalUnicast() {
			t.Errorf("a client at %s is of this box: %v", own, err)
		}
	}
}

func TestConnectPorts(t *testing.T) {
	for _, c := range []struct {
		listen string
		ports  []policy.PortRange
		open   []uint16
		closed []uint16
	}{
		{"127.0.0.1", nil, []uint16{1, 25, 443, 65535}, nil},
		{"192.0.2.1", nil, []uint16{1, 24, 26, 443, 65535}, []uint16{25}},
		{"192.0.2.1", []policy.PortRange{{First: 25, Last: 25}, {First: 443, Last: 444}}, []uint16{25, 443, 444}, []uint16{24, 80, 445}},
	} {
		ports := Explicit{Ports: c.ports}.ports(&net.TCPAddr{IP: net.ParseIP(c.listen)})
		for _, p := range c.open {
			if !contains(ports, p) {
				t.Errorf("%s, %v: port %d is closed", c.listen, c.ports, p)
			}
		}
		for _, p := range c.closed {
			if contains(ports, p) {
				t.Errorf("%s, %v: port %d is open", c.listen, c.ports, p)
			}
		}
	}
}

// ask has a machine send a request to the proxy, and returns what comes back until
// it ends or holds an address that echo servers say; nothing if it is reset.
func (l *lab) ask(t *testing.T, proxy netip.AddrPort, request string) string {
	t.Helper()
	var conn net.Conn
	l.in(t, l.client, func() (err error) {
		conn, err = net.DialTimeout("tcp", proxy.String(), 3*time.Second)
		if errors.Is(err, unix.ECONNRESET) {
			return nil
		}
		return err
	})
	if conn == nil {
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, request)
	var got strings.Builder
	for p := make([]byte, 4096); ; {
		n, err := conn.Read(p)
		got.Write(p[:n])
		if s := got.String(); err != nil || strings.Contains(s, "10.") || strings.Contains(s, "127.") || strings.Contains(s, "fd0") {
			return s
		}
	}
}

// A client of another machine reaches other machines and nothing of the box, by
// whatever request and name.
func TestProxyKeepsToOtherMachines(t *testing.T) {
	l := newLab(t)
	for _, port := range []uint16{80, 25} {
		l.listen(t, l.origin, port)
		l.listen(t, l.box, port)
	}
	l.in(t, l.box, func() error { // addresses of a route, and of cloud metadata
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		_, anycast, _ := net.ParseCIDR("10.9.0.0/24")
		v4, _ := netlink.ParseAddr("169.254.169.254/32")
		v6, _ := netlink.ParseAddr("fd00:ec2::254/128")
		return errors.Join(
			netlink.AddrAdd(lo, v4), netlink.AddrAdd(lo, v6),
			netlink.RouteAdd(&netlink.Route{Type: unix.RTN_LOCAL, Dst: anycast, LinkIndex: lo.Attrs().Index, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}))
	})
	loop, other := netip.MustParseAddr("127.0.0.1"), origin4
	known := names{"localhost": {loop}, "inside.test": {netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("::1")}, "mixed.test": {loop, other}, "origin.test": {other}}
	b := l.start(t, boxConfig{Names: known, Proxies: []Explicit{
		{Listen: ":8080"},
		{Listen: ":8081", Reach: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Ports: []policy.PortRange{{First: 80, Last: 80}}},
		{Listen: ":8082", From: []netip.Prefix{netip.MustParsePrefix("10.1.0.3/32")}},
	}})
	b.ready(t)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for e := (boxEvent{}); b.events.Decode(&e) == nil; {
		}
	}()
	defer func() { b.cmd.Process.Kill(); <-drained }()

	requests := map[string]func(host string, port uint16) string{
		"CONNECT": func(host string, port uint16) string {
			return fmt.Sprintf("CONNECT %s:%d HTTP/1.1\r\n\r\n", host, port)
		},
		"http://": func(host string, port uint16) string {
			return fmt.Sprintf("GET http://%s:%d/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", host, port)
		},
		"SOCKS": func(host string, port uint16) string { return socksFor(strings.Trim(host, "[]"), port) },
	}
	// What a session begins with: the echo server's word, or the proxy's reply.
	reached := func(kind, answer string) bool {
		switch kind {
		case "http://":
			return answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 403")
		case "SOCKS":
			return strings.Contains(answer, "\x05\x00\x05\x00")
		}
		return strings.Contains(answer, "200 Connection established")
	}
	for _, c := range []struct {
		host    string
		port    uint16
		proxy   uint16
		reached bool
	}{
		{"origin.test", 80, 8080, true},
		{"10.2.0.2", 80, 8080, true},
		{"[fd02::2]", 80, 8080, true},
		{"mixed.test", 80, 8080, true},
		{"10.2.0.2", 25, 8080, false},
		{"127.0.0.1", 80, 8080, false},
		{"127.9.9.9", 80, 8080, false},
		{"localhost", 80, 8080, false},
		{"inside.test", 80, 8080, false},
		{"[::1]", 80, 8080, false},
		{"[::]", 80, 8080, false},
		{"0.0.0.0", 80, 8080, false},
		{"[::ffff:127.0.0.1]", 80, 8080, false},
		{"169.254.169.254", 80, 8080, false},
		{"[fd00:ec2::254]", 80, 8080, false},
		{"10.1.0.1", 80, 8080, false},
		{"10.2.0.1", 80, 8080, false},
		{"[fd02::1]", 80, 8080, false},
		{"10.9.0.7", 80, 8080, false},
		{"127.0.0.1", 80, 8081, true},
		{"127.0.0.2", 80, 8081, false},
		{"10.2.0.2", 25, 8081, false},
	} {
		for kind, request := range requests {
			answer := l.ask(t, netip.AddrPortFrom(box4, c.proxy), request(c.host, c.port))
			if reached(kind, answer) != c.reached {
				t.Errorf("%s %s:%d by port %d: %q", kind, c.host, c.port, c.proxy, answer)
			}
		}
	}
	for kind, request := range requests {
		if answer := l.ask(t, netip.AddrPortFrom(box4, 8082), request("10.2.0.2", 80)); answer != "" {
			t.Errorf("%s of a client that is not served: %q", kind, answer)
		}
	}
	mixed := l.ask(t, netip.AddrPortFrom(box4, 8080), requests["CONNECT"]("mixed.test", 80))
	if !strings.Contains(mixed, "10.2.0.1") { // what the machine behind the second address says
		t.Errorf("a name with an address of the box leads to %q", mixed)
	}
}

func BenchmarkPermit(b *testing.B) {
	client, to := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")
	for b.Loop() {
		if err := (destinationGuard{}).permit(client, to); err != nil {
			b.Fatal(err)
		}
	}
}
