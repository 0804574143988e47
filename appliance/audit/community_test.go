package audit

import (
	"net/netip"
	"testing"
)

// The first vectors are those of the specification's baseline; the others were
// not published and hold what must give no identifier.
func TestCommunityID(t *testing.T) {
	for _, row := range []struct{ name, a, b, want string }{
		{"IPv4", "128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"IPv6", "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943", "[2607:f8b0:400c:c03::1a]:25", "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
		{"IPv4 in IPv6", "[::ffff:128.232.110.120]:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"two families", "[2001:db8::1]:1", "192.0.2.1:2", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, b := netip.MustParseAddrPort(row.a), netip.MustParseAddrPort(row.b)
			if got := CommunityID(a, b); got != row.want {
				t.Errorf("there: %q, want %q", got, row.want)
			}
			if got := CommunityID(b, a); got != row.want {
				t.Errorf("back: %q, want %q", got, row.want)
			}
		})
	}
}

// UDP has identifiers of its own; the vector is of the baseline, too.
func TestCommunityIDOfUDP(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.168.1.52:54585"), netip.MustParseAddrPort("8.8.8.8:53")
	if got, want := communityID(udp, a, b), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// One address, two ports: the ports decide the order.
func TestCommunityIDOfOneAddress(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2")
	if there, back := CommunityID(a, b), CommunityID(b, a); there != back || there == "" {
		t.Errorf("there %q, back %q", there, back)
	}
	zone := netip.MustParseAddrPort("[fe80::1%eth0]:1")
	plain, peer := netip.MustParseAddrPort("[fe80::1]:1"), netip.MustParseAddrPort("[fe80::2]:2")
	if CommunityID(zone, peer) != CommunityID(plain, peer) {
		t.Error("the zone changes the identifier")
	}
}
