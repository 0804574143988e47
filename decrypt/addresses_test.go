package decrypt

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestAddresses(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	client, first, second := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.2")
	var a Addresses
	a.Add("www.example.test.", []netip.Addr{first}, client, start)
	a.Add("WWW.example.test", []netip.Addr{second}, client, start.Add(12*time.Hour))
	for _, tt := range []struct {
		name  string
		addr  netip.Addr
		after time.Duration
		want  bool
	}{
		{"www.example.test", first, 23 * time.Hour, true},
		{"Www.Example.Test.", netip.MustParseAddr("::ffff:192.0.2.1"), 0, true},
		{"www.example.test", first, 24 * time.Hour, false},
		{"www.example.test", netip.MustParseAddr("192.0.2.2"), 35 * time.Hour, true},
		{"www.example.test", netip.MustParseAddr("192.0.2.3"), 0, false},
		{"example.test", first, 0, false},
	} {
		if got := a.Has(tt.name, tt.addr, start.Add(tt.after)); got != tt.want {
			t.Errorf("%s has %v after %v: %v", tt.name, tt.addr, tt.after, got)
		}
	}
	a.Add("www.example.test", nil, client, start)
	if !a.Has("www.example.test", first, start) {
		t.Error("an empty answer takes an address away")
	}
}

// A client with many names, and names with many addresses, are bounded, and others keep
// theirs.
func TestAddressesBounds(t *testing.T) {
	now := time.Now()
	good, bad := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	var a Addresses
	a.Add("good.test", []netip.Addr{good}, good, now)
	addr := func(n uint32) netip.Addr {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], n)
		return netip.AddrFrom4(b)
	}
	for n := range uint32(3 * addressNames) {
		a.Add(fmt.Sprintf("n%d.test", n%5000), []netip.Addr{addr(4 * n), addr(4*n + 1), addr(4*n + 2), addr(4*n + 3)}, bad, now)
	}
	for n := range uint32(3 * addressOfName) {
		a.Add("many.test", []netip.Addr{addr(n)}, bad, now)
	}
	if known := *a.names.Find("many.test"); len(known) != addressOfName {
		t.Errorf("%d addresses of a name", len(known))
	}
	if n := a.names.Len(); n > addressNames/addressShares+1 || a.names.Cost() > addressMost/addressShares+1 {
		t.Errorf("%d names with %d addresses", n, a.names.Cost())
	}
	if !a.Has("good.test", good, now) {
		t.Error("a client pushes out what others had looked up")
	}
}
