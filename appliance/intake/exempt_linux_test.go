package intake

import (
	"net/netip"
	"strings"
	"testing"
)

// The word for a set of addresses has no overlaps, and is what nft lists.
func TestExempt(t *testing.T) {
	l := newLab(t)
	for _, tt := range []struct {
		name  string
		addrs []string
		want  string
	}{
		{"none", nil, ""},
		{"one", []string{"192.0.2.1/32"}, "elements = { 192.0.2.1 }"},
		{"overlapping, unsorted", []string{"10.1.2.3/32", "10.0.0.0/8", "10.0.0.0/24"}, "elements = { 10.0.0.0/8 }"},
		{"touching", []string{"10.0.0.0/25", "10.0.0.128/25"}, "elements = { 10.0.0.0/24 }"},
		{"apart", []string{"10.0.0.0/24", "10.0.2.0/24"}, "elements = { 10.0.0.0/24, 10.0.2.0/24 }"},
		{"everything", []string{"0.0.0.0/0"}, "elements = { 0.0.0.0/0 }"},
		{"the last", []string{"255.255.255.255/32", "255.255.0.0/16"}, "elements = { 255.255.0.0/16 }"},
		{"IPv6", []string{"2001:db8::/32", "2001:db8:1::/48"}, "elements = { 2001:db8::/32 }"},
		{"IPv6, not masked", []string{"fd00::1/8"}, "elements = { fd00::/8 }"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var prefixes []netip.Prefix
			for _, a := range tt.addrs {
				prefixes = append(prefixes, netip.MustParsePrefix(a))
			}
			f, err := newForwardedTable(&nftMatch{name: "gateway", from: []string{"lan0"}}, Forwarded{QUIC: BlockQUIC}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			l.in(t, l.box, f.add)
			defer l.in(t, l.box, f.remove)
			for range 2 { // in the place of what was there
				l.in(t, l.box, func() error { return f.SetExempt(Exempt{Origins: prefixes}) })
			}
			state := strings.Join(strings.Fields(l.state(t)), " ")
			if n := strings.Count(state, "flags interval elements"); tt.want == "" && n != 0 || !strings.Contains(state, tt.want) {
				t.Errorf("want %q in:\n%s", tt.want, l.state(t))
			}
		})
	}
	t.Run("all that there may be", func(t *testing.T) {
		var many []netip.Prefix
		for i := range MaxExempt {
			many = append(many, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 7), byte(i << 1), 0}), 24))
		}
		f, err := newForwardedTable(&nftMatch{name: "gateway", from: []string{"lan0"}}, Forwarded{QUIC: BlockQUIC, Exempt: Exempt{Clients: many}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		l.in(t, l.box, f.add)
		defer l.in(t, l.box, f.remove)
		if state := l.state(t); !strings.Contains(state, "10.31.254.0/24") {
			t.Error("the last one is missing")
		}
		l.in(t, l.box, func() error {
			if f.SetExempt(Exempt{Clients: append(many, many[0])}) == nil {
				t.Error("one more is taken")
			}
			return nil
		})
	})
}
