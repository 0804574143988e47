package netlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

// namespaces returns the namespaces of those names.
func namespaces(t *testing.T, lab *Lab, names ...string) []*Namespace {
	t.Helper()
	list := make([]*Namespace, len(names))
	for i, name := range names {
		var err error
		if list[i], err = lab.Namespace(name); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestNewRefusesPrefix(t *testing.T) {
	for _, prefix := range []string{"", "a-b", "A", "a/b", "..", strings.Repeat("a", 33)} {
		if lab, err := New(prefix); err == nil {
			_ = lab.Close()
			t.Errorf("New(%q) succeeded", prefix)
		}
	}
}

func TestNamespaceIsNamed(t *testing.T) {
	lab := ForTest(t)
	ns := namespaces(t, lab, "one", "two", "one")
	if ns[0] != ns[2] {
		t.Error("the same name gave two namespaces")
	}
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatalf("list namespaces: %v", err)
	}
	for _, n := range ns {
		if !strings.Contains(string(out), n.FullName()) {
			t.Errorf("ip netns does not show %s:\n%s", n.FullName(), out)
		}
	}
	names, err := ns[0].Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"lo"}, names); diff != "" {
		t.Errorf("interfaces of a new namespace (-want +got):\n%s", diff)
	}
}

// router is client - box - origin, with routes and both families.
func router(t *testing.T, o LinkOptions) (client, box, origin *Namespace) {
	t.Helper()
	lab := ForTest(t)
	ns := namespaces(t, lab, "client", "box", "origin")
	client, box, origin = ns[0], ns[1], ns[2]
	steps := []error{
		lab.Link(
			End{Namespace: client, Name: "cl0", Addresses: prefixes("198.51.100.2/24", "2001:db8:1::2/64"), MAC: net.HardwareAddr{0x0a, 0, 0, 0, 0, 2}},
			End{Namespace: box, Name: "lan0", Addresses: prefixes("198.51.100.1/24", "2001:db8:1::1/64")}, o),
		lab.Link(
			End{Namespace: origin, Name: "or0", Addresses: prefixes("192.0.2.2/24", "2001:db8:2::2/64")},
			End{Namespace: box, Name: "wan0", Addresses: prefixes("192.0.2.1/24", "2001:db8:2::1/64")}, o),
		box.Forward(),
		client.Route(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("198.51.100.1")),
		client.Route(netip.MustParsePrefix("::/0"), netip.MustParseAddr("2001:db8:1::1")),
		origin.Route(netip.MustParsePrefix("198.51.100.0/24"), netip.MustParseAddr("192.0.2.1")),
		origin.Route(netip.MustParsePrefix("2001:db8:1::/64"), netip.MustParseAddr("2001:db8:2::1")),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	return client, box, origin
}

func TestRoutedDialAndListen(t *testing.T) {
	client, box, origin := router(t, LinkOptions{MTU: 1400})
	for _, address := range []string{"192.0.2.2:80", "[2001:db8:2::2]:80"} {
		t.Run(address, func(t *testing.T) {
			ln, err := origin.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ln.Close() }()
			go func() {
				if c, err := ln.Accept(); err == nil {
					_, _ = fmt.Fprint(c, c.RemoteAddr())
					_ = c.Close()
				}
			}()
			c, err := client.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			got, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			if want := c.LocalAddr().String(); string(got) != want {
				t.Errorf("origin sees client %s, client is %s", got, want)
			}
		})
	}
	attrs, err := client.Interface("cl0")
	if err != nil {
		t.Fatal(err)
	}
	if attrs.MTU != 1400 || attrs.HardwareAddr.String() != "0a:00:00:00:00:02" {
		t.Errorf("cl0 has MTU %d and MAC %s", attrs.MTU, attrs.HardwareAddr)
	}
	if attrs, err = box.Interface("lan0"); err != nil || attrs.Statistics.RxPackets == 0 {
		t.Errorf("box received nothing on lan0: %v", err)
	}
}

func TestDatagrams(t *testing.T) {
	client, _, origin := router(t, LinkOptions{})
	pc, err := origin.ListenPacket("udp", "192.0.2.2:53")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Close() }()
	c, err := client.Dial("udp", "192.0.2.2:53")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("query")); err != nil {
		t.Fatal(err)
	}
	_ = pc.SetReadDeadline(time.Now().Add(2 * time.Second))
	buf := make([]byte, 16)
	n, _, err := pc.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "query" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
}

func TestDialRefusesNames(t *testing.T) {
	ns := namespaces(t, ForTest(t), "a")[0]
	if _, err := ns.Dial("tcp", "localhost:80"); err == nil {
		t.Error("dialled a name")
	}
}

func TestSilentLink(t *testing.T) {
	lab := ForTest(t)
	ns := namespaces(t, lab, "box", "recorder")
	if err := lab.Link(End{Namespace: ns[0], Name: "mirror0", Silent: true},
		End{Namespace: ns[1], Name: "rec0", Silent: true}, LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := ns[0].SetOffload("mirror0", false, TXChecksum, TSO, GSO); err != nil {
		t.Fatal(err)
	}
	if err := ns[1].SetOffload("rec0", false, GRO); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Offload{TXChecksum, TSO, GSO} {
		if on, err := ns[0].Offload("mirror0", o); err != nil || on {
			t.Errorf("offload %#x is on: %v, %v", uint32(o), on, err)
		}
	}
	if on, err := ns[1].Offload("rec0", TXChecksum); err != nil || !on {
		t.Errorf("untouched offload is off: %v, %v", on, err)
	}
	time.Sleep(200 * time.Millisecond) // long enough for router solicitations
	if attrs, err := ns[1].Interface("rec0"); err != nil || attrs.Statistics.RxPackets != 0 {
		t.Errorf("silent interface sent %d packets, %v", attrs.Statistics.RxPackets, err)
	}
}

func TestSysctlStaysInside(t *testing.T) {
	ns := namespaces(t, ForTest(t), "a")[0]
	before, err := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl")
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Sysctl("net.ipv4.ip_default_ttl", "77"); err != nil {
		t.Fatal(err)
	}
	var inside []byte
	if err := ns.Do(func() (err error) {
		inside, err = os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadFile("/proc/sys/net/ipv4/ip_default_ttl")
	if string(inside) != "77\n" || string(after) != string(before) {
		t.Errorf("inside %q, outside %q then %q", inside, before, after)
	}
}

func TestDoSurvivesGoexit(t *testing.T) {
	ns := namespaces(t, ForTest(t), "a")[0]
	done := make(chan error, 1)
	go func() {
		done <- ns.Do(func() error {
			// What t.FailNow does.
			func() { defer func() {}(); goexit() }()
			return nil
		})
	}()
	select {
	case err := <-done:
		if !errors.Is(err, errUnfinished) {
			t.Errorf("got %v", err)
		}
	case <-time.After(2 * time.Second):
		t.Fatal("Do hangs")
	}
}

func TestThreadsReturnHome(t *testing.T) {
	lab := ForTest(t)
	ns := namespaces(t, lab, "a")[0]
	for range 50 {
		if err := ns.Do(func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	away := fmt.Sprintf("net:[%d]", ns.inode)
	deadline := time.Now().Add(2 * time.Second)
	for {
		tasks, err := filepath.Glob("/proc/self/task/*/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		var lost []string
		for _, task := range tasks {
			if at, err := os.Readlink(task); err == nil && at == away {
				lost = append(lost, task)
			}
		}
		if len(lost) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads still in the removed namespace: %v", lost)
		}
		time.Sleep(pollEvery)
	}
}

func TestLinkFailureLeavesNothing(t *testing.T) {
	lab := ForTest(t)
	ns := namespaces(t, lab, "a", "b")
	for _, tc := range []struct {
		name string
		b    End
	}{
		{"name too long", End{Namespace: ns[1], Name: "abcdefghijklmnop"}},
		{"no name", End{Namespace: ns[1]}},
		{"name in use", End{Namespace: ns[1], Name: "lo"}},
		{"address twice", End{Namespace: ns[1], Name: "v1", Addresses: prefixes("192.0.2.1/24", "192.0.2.1/24")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := lab.Link(End{Namespace: ns[0], Name: "v0"}, tc.b, LinkOptions{}); err == nil {
				t.Fatal("link made")
			}
			for _, n := range ns {
				if names, err := n.Interfaces(); err != nil || len(names) != 1 {
					t.Errorf("%s has %v, %v", n.Name(), names, err)
				}
			}
		})
	}
}

func TestDumpRetries(t *testing.T) {
	calls := 0
	v, err := dump(func() (int, error) {
		if calls++; calls < 3 {
			return 0, netlink.ErrDumpInterrupted
		}
		return 7, nil
	})
	if v != 7 || err != nil || calls != 3 {
		t.Errorf("got %d, %v after %d calls", v, err, calls)
	}
	if _, err := dump(func() (int, error) { return 0, netlink.ErrDumpInterrupted }); !errors.Is(err, netlink.ErrDumpInterrupted) {
		t.Errorf("endless interruption gave %v", err)
	}
}

func TestClosedLabRefuses(t *testing.T) {
	lab := ForTest(t)
	ns := namespaces(t, lab, "a", "b")
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	called := false
	lab.OnClose(func() error { called = true; return nil })
	_, nsErr := lab.Namespace("c")
	_, dirErr := lab.Dir("d")
	for name, err := range map[string]error{
		"namespace": nsErr,
		"directory": dirErr,
		"link":      lab.Link(End{Namespace: ns[0], Name: "v0"}, End{Namespace: ns[1], Name: "v1"}, LinkOptions{}),
		"do":        ns[0].Do(func() error { return nil }),
		"start":     ns[0].Command(context.Background(), "true").Start(),
		"sysctl":    ns[0].Sysctl("net.ipv4.ip_forward", "1"),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !called {
		t.Error("OnClose on a closed lab did nothing")
	}
}

func TestCloseRunsEverything(t *testing.T) {
	lab := ForTest(t)
	namespaces(t, lab, "a")
	boom := errors.New("boom")
	var order []int
	lab.cleanups = append(lab.cleanups,
		func() error { order = append(order, 1); return nil },
		func() error { order = append(order, 2); return boom })
	dir, err := lab.Dir("x")
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.close(); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]int{2, 1}, order); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory: %v", err)
	}
	lab.cleanups = nil
}

// TestLinkIsReadyAtOnce catches a carrier or a multicast group that the kernel
// brings up later: the first packet would be lost and sent again after 1 s.
func TestLinkIsReadyAtOnce(t *testing.T) {
	for range 5 {
		client, _, origin := router(t, LinkOptions{})
		for _, address := range []string{"[2001:db8:2::2]:80", "192.0.2.2:80"} {
			ln, err := origin.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			c, err := client.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 900*time.Millisecond {
				t.Errorf("first connection to %s took %v", address, took)
			}
			_, _ = c.Close(), ln.Close()
		}
	}
}
