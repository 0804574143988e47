package adapt

import (
	"net/netip"
	"testing"
)

// TestHeldIsShared: a client cannot take the room of others, and what is given back is
// forgotten.
func TestHeldIsShared(t *testing.T) {
	h := &held{clients: make(map[netip.Addr]int)}
	greedy, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	taken := 0
	for h.take(greedy, 16<<20) {
		taken += 16 << 20
	}
	if taken != maxOfClient || !h.take(other, maxOfClient) {
		t.Errorf("one client holds %d octets", taken)
	}
	h.free(other, maxOfClient)
	h.free(greedy, taken)
	if h.all != 0 || len(h.clients) != 0 {
		t.Errorf("%d octets are left, of %v", h.all, h.clients)
	}
	a := greedy
	for taken = 0; h.take(a, maxOfClient); taken += maxOfClient {
		a = a.Next()
	}
	if taken != maxHeld {
		t.Errorf("all clients hold %d octets", taken)
	}
}
