package intake

import (
	"bytes"
	"net/netip"
	"testing"
)

// udp4 and udp6 are datagrams with the payload "hello".
var (
	udp4 = []byte("\x45\x00\x00\x21\x00\x00\x40\x00\x40\x11\x00\x00" + "\x0a\x01\x00\x02" + "\x0a\x02\x00\x02" + "\x9c\x40\x01\xbb\x00\x0d\x00\x00hello")
	udp6 = []byte("\x60\x00\x00\x00\x00\x0d\x11\x40" +
		"\xfd\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\xfd\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" +
		"\x9c\x40\x01\xbb\x00\x0d\x00\x00hello")
)

// with returns a copy of p in which octets are replaced and others put in.
func with(p []byte, at int, octet byte, into int, more string) []byte {
	p = bytes.Clone(p)
	p[at] = octet
	return append(p[:into:into], append([]byte(more), p[into:]...)...)
}

func TestParseDatagram(t *testing.T) {
	const options = "\x11\x00\x01\x04\x00\x00\x00\x00" // the next is UDP
	for _, tt := range []struct {
		name   string
		packet []byte
		want   string
		v6     bool
		bad    bool
	}{
		{name: "IPv4", packet: udp4, want: "hello"},
		{name: "IPv6", packet: udp6, want: "hello", v6: true},
		{name: "cut off", packet: udp4[:30], want: "he"},
		{name: "with a trailer", packet: append(bytes.Clone(udp4), 0, 0), want: "hello"},
		{name: "IPv4 options", packet: with(with(udp4, 3, 0x25, 20, ""), 0, 0x46, 20, "\x01\x01\x01\x00"), want: "hello"},
		{name: "IPv6 destination options", packet: with(with(udp6, 5, 0x15, 40, ""), 6, destinations, 40, options), want: "hello", v6: true},
		{name: "no octet", bad: true},
		{name: "IPv5", packet: with(udp4, 0, 0x55, 20, ""), bad: true},
		{name: "TCP", packet: with(udp4, 9, 6, 20, ""), bad: true},
		{name: "IPv6 TCP", packet: with(udp6, 6, 6, 40, ""), bad: true},
		{name: "fragment", packet: with(udp4, 6, 0x20, 20, ""), bad: true},
		{name: "later fragment", packet: with(udp4, 7, 1, 20, ""), bad: true},
		{name: "short header", packet: with(udp4, 0, 0x44, 20, ""), bad: true},
		{name: "no UDP header", packet: udp4[:27], bad: true},
		{name: "UDP of 7 octets", packet: with(udp4, 25, 7, 20, ""), bad: true},
		{name: "endless options", packet: with(udp6, 6, destinations, 40, "\x3c\xff"), bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from, to, payload, ok := parseDatagram(tt.packet)
			if ok == tt.bad || string(payload) != tt.want {
				t.Fatalf("payload %q, %t", payload, ok)
			}
			client, origin := netip.MustParseAddrPort("10.1.0.2:40000"), netip.MustParseAddrPort("10.2.0.2:443")
			if tt.v6 {
				client, origin = netip.MustParseAddrPort("[fd01::2]:40000"), netip.MustParseAddrPort("[fd02::2]:443")
			}
			if ok && (from != client || to != origin) {
				t.Errorf("from %v to %v", from, to)
			}
		})
	}
}

// What is read of a packet is within it.
func FuzzParseDatagram(f *testing.F) {
	f.Add(udp4)
	f.Add(udp6)
	f.Fuzz(func(t *testing.T, p []byte) {
		from, to, payload, ok := parseDatagram(p)
		if ok && (!from.IsValid() || !to.IsValid() || len(payload) > len(p)) {
			t.Fatalf("%v to %v, %d octets of %d", from, to, len(payload), len(p))
		}
	})
}
