package intake

import (
	"errors"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

// https is an intake of most tests.
var https = boxIntake{"gateway", TProxy{Listen: ":8099", From: []string{"lan0"}, Ports: only(443, 465)}}

func TestTProxy(t *testing.T) {
	l := newLab(t)
	for _, port := range []uint16{443, 465, 22} {
		l.listen(t, l.origin, port)
	}
	l.listen(t, l.box, 443)
	// Connection tracking runs only if a rule asks for it.
	l.in(t, l.box, func() error {
		return exec.Command("nft", "add table inet other; add chain inet other c { type filter hook forward priority 0; }; add rule inet other c ct state established accept").Run()
	})
	before := l.state(t)
	early := l.dial(t, netip.AddrPortFrom(origin4, 443))
	tracked := len(l.conntrack(t))
	b := l.start(t, boxConfig{Intakes: []boxIntake{https}})
	b.ready(t)

	for _, c := range []struct {
		name     string
		to       netip.AddrPort
		diverted bool
	}{
		{"IPv4", netip.AddrPortFrom(origin4, 443), true},
		{"IPv6", netip.AddrPortFrom(origin6, 443), true},
		{"IPv4 second port", netip.AddrPortFrom(origin4, 465), true},
		{"IPv6 second port", netip.AddrPortFrom(origin6, 465), true},
		{"IPv4 box itself", netip.AddrPortFrom(box4, 443), false},
		{"IPv6 box itself", netip.AddrPortFrom(box6, 443), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := l.dial(t, c.to)
			if conn.seen != conn.local {
				t.Errorf("other end sees %v, client is %v", conn.seen, conn.local)
			}
			if !c.diverted {
				return
			}
			got := b.next(t)
			want := boxEvent{Intake: "gateway", Client: conn.local.String(), Origin: c.to.String(), MAC: l.clientMAC(t)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("untracked", func(t *testing.T) {
		if got := l.conntrack(t); len(got) != tracked+2 { // to the box itself
			t.Errorf("%d connections tracked, want %d: %v", len(got), tracked+2, got)
		}
	})
	t.Run("port not selected", func(t *testing.T) { l.dial(t, netip.AddrPortFrom(origin4, 22)) })
	t.Run("connection from before", early.echo)

	open := l.dial(t, netip.AddrPortFrom(origin4, 443))
	if e := b.next(t); e.Client != open.local.String() {
		t.Errorf("session %+v, want client %v; an undiverted connection made one", e, open.local)
	}
	b.close(t)
	early.echo(t)
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// conntrack lists the connections that the box tracks.
func (l *lab) conntrack(t *testing.T) (flows []*netlink.ConntrackFlow) {
	t.Helper()
	l.in(t, l.box, func() error {
		for _, family := range []netlink.InetFamily{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			some, err := netlink.ConntrackTableList(netlink.ConntrackTable, family)
			if err != nil {
				return err
			}
			for _, flow := range some {
				if flow.Forward.Protocol == 6 {
					flows = append(flows, flow)
				}
			}
		}
		return nil
	})
	return flows
}

func (l *lab) clientMAC(t *testing.T) (mac string) {
	t.Helper()
	l.in(t, l.client, func() error {
		link, err := netlink.LinkByName("eth0")
		if err == nil {
			mac = link.Attrs().HardwareAddr.String()
		}
		return err
	})
	return mac
}

func TestTProxyEveryPort(t *testing.T) {
	l := newLab(t)
	l.listen(t, l.origin, 7777)
	l.listen(t, l.box, 22)
	b := l.start(t, boxConfig{Intakes: []boxIntake{{"all", TProxy{Listen: ":0", From: []string{"lan0"}}}}})
	b.ready(t)
	for _, addr := range []netip.Addr{origin4, origin6} {
		conn := l.dial(t, netip.AddrPortFrom(addr, 7777))
		if e := b.next(t); e.Client != conn.local.String() || conn.seen != conn.local {
			t.Errorf("client %v, session %+v, origin sees %v", conn.local, e, conn.seen)
		}
	}
	l.dial(t, netip.AddrPortFrom(box4, 22)) // still reaches the box
	b.close(t)
}

func TestTProxyKilled(t *testing.T) {
	l := newLab(t)
	l.listen(t, l.origin, 443)
	before := l.state(t)
	first := l.start(t, boxConfig{Intakes: []boxIntake{https, {"dropped", TProxy{Listen: ":8100", From: []string{"wan0"}}}}})
	first.ready(t)
	l.dial(t, netip.AddrPortFrom(origin4, 443))
	if e := first.next(t); e.Intake != "gateway" {
		t.Fatalf("no session: %+v", e)
	}
	first.cmd.Process.Kill()
	first.cmd.Wait()
	if l.state(t) == before {
		t.Error("a killed process cannot have removed its rules")
	}
	for _, addr := range []netip.Addr{origin4, origin6} {
		conn := l.dial(t, netip.AddrPortFrom(addr, 443))
		if conn.seen != conn.local {
			t.Errorf("routed: origin sees %v, client is %v", conn.seen, conn.local)
		}
	}

	second := l.start(t, boxConfig{Intakes: []boxIntake{https}})
	second.ready(t)
	conn := l.dial(t, netip.AddrPortFrom(origin6, 443))
	if e := second.next(t); e.Client != conn.local.String() {
		t.Errorf("session %+v, want client %v", e, conn.local)
	}
	second.close(t)
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

func TestTProxyTwo(t *testing.T) {
	l := newLab(t)
	for _, port := range []uint16{443, 25, 995} {
		l.listen(t, l.origin, port)
	}
	before := l.state(t)
	one := l.start(t, boxConfig{Intakes: []boxIntake{
		https,
		{"mail", TProxy{Listen: ":8100", From: []string{"lan0"}, Ports: only(25)}},
		{"mail", TProxy{Listen: ":8101", From: []string{"lan0"}, Ports: only(110)}},
	}})
	if e := one.next(t); !strings.Contains(e.Error, `name "mail": in use by another intake`) {
		t.Errorf("second intake of a name: %+v", e)
	}
	one.ready(t)
	other := l.start(t, boxConfig{Intakes: []boxIntake{
		{"pop", TProxy{Listen: ":0", From: []string{"lan0"}, Ports: only(995), Mark: 0x51, Table: 51, Priority: 51}},
	}})
	other.ready(t)
	third := l.start(t, boxConfig{Intakes: []boxIntake{
		{"third", TProxy{Listen: ":0", From: []string{"lan0"}, Ports: only(110), Mark: 0x51, Table: 52, Priority: 52}},
	}})
	if e := third.next(t); !strings.Contains(e.Error, "mark 0x51: in use by another intake") {
		t.Errorf("second intake of a mark: %+v", e)
	}
	for _, c := range []struct {
		name string
		port uint16
		box  *box
	}{{"gateway", 443, one}, {"mail", 25, one}, {"pop", 995, other}} {
		conn := l.dial(t, netip.AddrPortFrom(origin6, c.port))
		if e := c.box.next(t); e.Intake != c.name || conn.seen != conn.local {
			t.Errorf("%s: session %+v, client %v, origin sees %v", c.name, e, conn.local, conn.seen)
		}
	}
	one.close(t)
	l.dial(t, netip.AddrPortFrom(origin4, 443))
	conn := l.dial(t, netip.AddrPortFrom(origin4, 995))
	if e := other.next(t); e.Client != conn.local.String() {
		t.Errorf("session %+v, want client %v", e, conn.local)
	}
	other.close(t)
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// While it drains, an intake takes nothing new and keeps what it has, to the last
// octet.
func TestTProxyDrain(t *testing.T) {
	l := newLab(t)
	l.window = 4096
	l.listen(t, l.origin, 443)
	before := l.state(t)
	b := l.start(t, boxConfig{Intakes: []boxIntake{https}, Drain: true})
	b.ready(t)
	open := l.dial(t, netip.AddrPortFrom(origin6, 443))
	b.next(t)
	b.stop()
	if e := b.next(t); !e.Closing {
		t.Fatalf("got %+v, want the intake to close", e)
	}
	routed := l.dial(t, netip.AddrPortFrom(origin6, 443))
	open.echo(t)

	open.readAll(t, 1<<18)
	if e := b.next(t); !e.Closed {
		t.Errorf("got %+v, want the end", e)
	}
	routed.echo(t)
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

// Behind the origin's network is a link with a small MTU. Its router's complaint
// goes to the client's address, and concerns the box's socket.
func TestTProxyPathMTU(t *testing.T) {
	const mtu = 1300
	l := newLab(t)
	far := l.namespace(t)
	l.in(t, l.origin, func() error {
		if err := errors.Join(sysctl("ipv4/ip_forward", "1"), sysctl("ipv6/conf/all/forwarding", "1"), veth("far0", far)); err != nil {
			return err
		}
		return errors.Join(address("far0", "10.3.0.1/24", "fd03::1/64"), setMTU("far0", mtu))
	})
	l.in(t, far, func() error {
		return errors.Join(address("eth0", "10.3.0.2/24", "fd03::2/64"), setMTU("eth0", mtu),
			route("", "10.3.0.1", 1460), route("", "fd03::1", 1440))
	})
	l.in(t, l.box, func() error {
		return errors.Join(route("10.3.0.0/24", "10.2.0.2", 0), route("fd03::/64", "fd02::2", 0))
	})
	l.listen(t, far, 443)
	b := l.start(t, boxConfig{Intakes: []boxIntake{https}})
	b.ready(t)
	for _, to := range []string{"10.3.0.2:443", "[fd03::2]:443"} {
		conn := l.dial(t, netip.MustParseAddrPort(to))
		b.next(t)
		conn.SetDeadline(time.Now().Add(3 * time.Second))
		text := strings.Repeat("x", 1<<16) + "\n"
		go io.WriteString(conn, text)
		if line, err := conn.lines.ReadString('\n'); line != text {
			t.Errorf("%s: read %d octets (%v), want %d", to, len(line), err, len(text))
		}
	}
	b.close(t)
}

func setMTU(name string, mtu int) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetMTU(link, mtu)
}

func TestTProxyPortTaken(t *testing.T) {
	l := newLab(t)
	l.listen(t, l.origin, 443)
	b := l.start(t, boxConfig{Intakes: []boxIntake{https}, Twice: true})
	b.ready(t)
	for _, addr := range []netip.Addr{origin4, origin6} {
		conn := l.dial(t, netip.AddrPortFrom(addr, 443))
		if conn.seen.Addr() != conn.local.Addr() || conn.seen == conn.local {
			t.Errorf("origin sees %v, want another port of client %v", conn.seen, conn.local)
		}
		if e := b.next(t); e.Client != conn.local.String() {
			t.Errorf("session %+v", e)
		}
		if e := b.next(t); e.Event != "port-changed" {
			t.Errorf("event %+v, want port-changed", e)
		}
	}
	b.close(t)
}

// every returns the ports from first to last in steps.
func every(first, last, step int) (ports []uint16) {
	for p := first; p <= last; p += step {
		ports = append(ports, uint16(p))
	}
	return ports
}

// only returns the ranges of single ports.
func only(ports ...uint16) (ranges []policy.PortRange) {
	for _, p := range ports {
		ranges = append(ranges, policy.PortRange{First: p, Last: p})
	}
	return ranges
}

// The ports of a diversion are those that nft lists, as ranges.
func TestTProxyPorts(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		name  string
		ports []uint16
		want  string // with ranges and single ports
	}{
		{"one", []uint16{443}, "elements = { 443 }"},
		{"unsorted, twice", []uint16{465, 443, 465}, "elements = { 443, 465 }"},
		{"range", []uint16{1024, 1025, 1026, 8443}, "elements = { 1024-1026, 8443 }"},
		{"last", []uint16{65535}, "elements = { 65535 }"},
		{"all", every(1, 65535, 1), "elements = { 1-65535 }"},
		{"most", every(1, 1997, 2), "1995, 1997 }"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := newTProxyNFT("ports", TProxy{Listen: ":0", From: []string{"lan0"}, Ports: only(c.ports...)})
			if err != nil {
				t.Fatal(err)
			}
			n.mark, n.table, n.priority = 0x77, 77, 77
			n.noteListener(netip.MustParseAddrPort("127.0.0.1:9"))
			l.in(t, l.box, n.add)
			defer l.in(t, l.box, n.remove)
			if state := l.state(t); !strings.Contains(strings.Join(strings.Fields(state), " "), c.want) {
				t.Errorf("want %q in:\n%s", c.want, state)
			}
		})
	}
}

func TestTProxyTooManyPorts(t *testing.T) {
	_, err := newTProxyNFT("ports", TProxy{Listen: ":0", From: []string{"lan0"}, Ports: only(every(1, 65535, 2)...)})
	if err == nil || !strings.Contains(err.Error(), "ranges of ports") {
		t.Errorf("error %v", err)
	}
}

func TestTProxyRefused(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		name  string
		setup func() error
		TProxy
		want string
	}{
		{"no such interface", nil, TProxy{Listen: ":8099", From: []string{"lan7"}}, "find interface lan7"},
		{"loopback", nil, TProxy{Listen: ":8099", From: []string{"lo"}}, "own traffic"},
		{"no interface", nil, TProxy{Listen: ":8099"}, "no interface"},
		{"address", nil, TProxy{Listen: "10.1.0.1:8099", From: []string{"lan0"}}, "give :port"},
		{"port 0", nil, TProxy{Listen: ":8099", From: []string{"lan0"}, Ports: only(0)}, "port 0"},
		{"mark alone", nil, TProxy{Listen: ":8099", From: []string{"lan0"}, Mark: 7}, "all or none"},
		{"source validation by mark", func() error { return sysctl("ipv4/conf/all/src_valid_mark", "1") }, TProxy{Listen: ":8099", From: []string{"lan0"}}, "src_valid_mark"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := l.state(t)
			if c.setup != nil {
				l.in(t, l.box, c.setup)
			}
			b := l.start(t, boxConfig{Intakes: []boxIntake{{"refused", c.TProxy}}})
			if e := b.next(t); !strings.Contains(e.Error, c.want) {
				t.Errorf("got %+v, want error with %q", e, c.want)
			}
			if diff := cmp.Diff(before, l.state(t)); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
			b.ready(t)
			b.close(t)
		})
	}
}

// A diversion that fails after its routes are in place takes them back.
func TestTProxyHalfWay(t *testing.T) {
	l := newLab(t)
	before := l.state(t)
	n := &tproxyNFT{
		nftMatch: nftMatch{
			name: strings.Repeat("x", 300), from: []string{"lan0"},
			listen4: netip.MustParseAddrPort("127.0.0.1:9"), listen6: netip.MustParseAddrPort("[::1]:9"),
		},
		mark: 0x77, table: 77, priority: 77,
	}
	l.in(t, l.box, func() error {
		if err := n.add(); err == nil {
			t.Error("a table name of 300 octets was accepted")
		}
		return nil
	})
	if l.state(t) == before {
		t.Error("failed before the routes: the test proves nothing")
	}
	l.in(t, l.box, func() error { n.remove(); return nil })
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
