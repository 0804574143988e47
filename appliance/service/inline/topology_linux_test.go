package inline

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// TestVLAN: all frames bear the tag, and those that do not are dropped.
func TestVLAN(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	m := b.middlebox() // to send, besides the bridge
	m.set(func(int, []byte) (on, back [][]byte) { return nil, nil })
	b.bridge()
	b.open(func(c *Config) { c.VLAN = 4094 })
	capture := b.capture("br0")
	for _, addrs := range [][2]netip.AddrPort{{client4, origin4}, {client6, origin6}} {
		s := b.carry(b.Device, addrs[0], addrs[1])
		b.exchange(s, request, answer)
		b.end(s, b.Device, Carried)
	}
	for _, line := range strings.Split(strings.TrimSpace(capture.fields("vlan.id")), "\n") {
		if line != "4094" {
			t.Errorf("frame with tag %q", line)
		}
	}
	if n := b.counter("tag"); n != 0 {
		t.Errorf("%d frames counted as of another tag", n)
	}
	m.put(1, make([]byte, 60))
	b.await("a frame without tag is counted", func() bool { return b.counter("tag") == 1 })
}

// TestRouter: the device is a hop of its own.
func TestRouter(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	for i := range 2 {
		port := fmt.Sprintf("dev%d", i)
		if err := b.device.Sysctl("net/ipv6/conf/"+port+"/disable_ipv6", "0"); err != nil {
			t.Fatal(err)
		}
		b.run("ip", "link", "set", "dev", port, "arp", "on")
		b.run("ip", "addr", "add", fmt.Sprintf("10.9.%d.1/30", i), "dev", port)
		b.run("ip", "addr", "add", fmt.Sprintf("fd09:%d::1/64", i), "dev", port, "nodad")
		// Clients behind the first leg, origins behind the second.
		b.run("ip", "route", "add", [2]string{"192.0.2.0/24", "203.0.113.0/24"}[i], "via", fmt.Sprintf("10.9.%d.2", i))
		b.run("ip", "route", "add", [2]string{"2001:db8:1::/48", "2001:db8:2::/48"}[i], "via", fmt.Sprintf("fd09:%d::2", i))
	}
	if err := b.device.Forward(); err != nil {
		t.Fatal(err)
	}
	b.open(func(c *Config) {
		c.Probe.Interval = 50 * time.Millisecond
		for i := range 2 {
			for _, h := range [][2]string{{"10.9.%d.2/30", "10.9.%d.1"}, {"fd09:%d::2/64", "fd09:%d::1"}} {
				c.Hops[i] = append(c.Hops[i], Hop{
					Address: netip.MustParsePrefix(fmt.Sprintf(h[0], i)),
					Gateway: netip.MustParseAddr(fmt.Sprintf(h[1], i)),
				})
			}
		}
	})
	b.await("connections between the legs come through", func() bool { return b.counter("probe-ok") >= 3 })
	for _, addrs := range [][2]netip.AddrPort{{client4, origin4}, {client6, origin6}} {
		s := b.carry(b.Device, addrs[0], addrs[1])
		b.exchange(s, request, answer)
		b.end(s, b.Device, Carried)
	}
}

// TestRouterWithoutARP: a leg that cannot find its hop is refused, and given back.
func TestRouterWithoutARP(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	if err := b.box.Do(func() error { return exec.Command("ip", "link", "set", "dev", "chain1", "arp", "off").Run() }); err != nil {
		t.Fatal(err)
	}
	c := Config{Name: b.box.FullName() + "-arp", Legs: [2]string{"chain0", "chain1"}, Port: 80, Timeout: time.Second}
	for i := range 2 {
		c.Hops[i] = []Hop{{netip.MustParsePrefix(fmt.Sprintf("10.9.%d.2/30", i)), netip.MustParseAddr(fmt.Sprintf("10.9.%d.1", i))}}
	}
	d, err := newDevice(c, b.host())
	if err == nil {
		d.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "chain1") || !strings.Contains(err.Error(), "arp on") {
		t.Errorf("error is %v, want one about ARP of chain1", err)
	}
	if _, err := b.box.Interface("chain1"); err != nil {
		t.Error(err)
	}
}

// TestSeries: each device sees what the one before let pass.
func TestSeries(t *testing.T) {
	t.Parallel()
	first, second := newLab(t), newLab(t)
	one, other := first.middlebox(), second.middlebox()
	first.open(nil)
	second.open(func(c *Config) { c.Port = 0 })
	replace := func(old, with string) func(int, []byte) ([][]byte, [][]byte) {
		return func(_ int, frame []byte) (on, back [][]byte) {
			if s, ok := dissect(frame); ok && len(s.payload) > 0 {
				copy(s.payload, strings.ReplaceAll(string(s.payload), old, with))
				s.sum()
			}
			return [][]byte{frame}, nil
		}
	}
	one.set(replace("a", "b"))
	other.set(replace("b", "c"))
	client, near := first.pair()
	far, origin := first.pair()
	engine := decrypt.Config{Services: func(*decrypt.Session) []decrypt.Service {
		return []decrypt.Service{first.Device, second.Device}
	}}
	result := serve(t, engine, near, far)
	client.Write([]byte("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"))
	client.CloseWrite()
	want := "GET /c HTTP/1.1\r\nHost: c\r\n\r\n"
	if got := readAll(t, origin); got != want {
		t.Errorf("origin read %q, want %q", got, want)
	}
	origin.Write([]byte("HTTP/1.1 200 b\r\n\r\n"))
	origin.Close()
	// Toward the client the second device is the first.
	if got := readAll(t, client); got != "HTTP/1.1 200 c\r\n\r\n" {
		t.Errorf("client read %q", got)
	}
	client.Close()
	s := <-result
	for _, d := range []*Device{first.Device, second.Device} {
		if got := s.Services()[d.config.Name]; got != Carried {
			t.Errorf("%s: %q", d.config.Name, got)
		}
	}
	if s.Reason != "" {
		t.Errorf("session ended with %s: %v", s.Reason, s.Err)
	}
}
