package flow

import (
	"net/netip"
	"testing"
)

// datagramFrame returns an Ethernet frame with a UDP datagram, or a part of one.
func datagramFrame(from, to string, part uint16) []byte {
	a, b := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	p := make([]byte, 14+20+8+4)
	p[12], p[13] = 8, 0
	ip := p[14:]
	ip[0], ip[3], ip[9] = 0x45, 20+8+4, 17
	big.PutUint16(ip[6:], part)
	copy(ip[12:], a.Addr().AsSlice())
	copy(ip[16:], b.Addr().AsSlice())
	big.PutUint16(ip[20:], a.Port())
	big.PutUint16(ip[22:], b.Port())
	big.PutUint16(ip[24:], 12)
	return p
}

// TestKeyOf: both directions have the key of the ends, fragments have none, and nothing is
// allocated.
func TestKeyOf(t *testing.T) {
	const a, b = "192.0.2.9:5000", "10.1.2.3:53"
	want := EndsOf(netip.MustParseAddrPort(b), netip.MustParseAddrPort(a), UDP)
	there := datagramFrame(a, b, 0)
	for _, p := range [][]byte{there, datagramFrame(b, a, 0)} {
		if k, ok := KeyOf(1, p); !ok || k != want {
			t.Errorf("%x, %v, want %x", k, ok, want)
		}
		if low, high, transport := want.Ends(); low.String() != b || high.String() != a || transport != UDP {
			t.Errorf("%v, %v, %v", low, high, transport)
		}
	}
	part := datagramFrame(a, b, 0x2000)
	if k, ok := KeyOf(1, part); ok {
		t.Errorf("a fragment has %x", k)
	}
	if n := testing.AllocsPerRun(100, func() { KeyOf(1, there); KeyOf(1, part) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkKeyOf(b *testing.B) {
	p := datagramFrame("192.0.2.9:5000", "10.1.2.3:53", 0)
	for b.Loop() {
		KeyOf(1, p)
	}
}
