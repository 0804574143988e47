package http2

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
)

func TestPortsAreDistinct(t *testing.T) {
	p := NewPorts()
	taken := map[uint16]bool{}
	for {
		port, mine := p.Take(flow)
		if !mine {
			break
		}
		if taken[port] || port < firstPort || port >= firstPort+portCount || slices.Contains(unfitPorts, port) {
			t.Fatalf("port %d, taken before: %t", port, taken[port])
		}
		taken[port] = true
	}
	if want := portCount - len(unfitPorts); len(taken) != want {
		t.Errorf("%d ports, want %d", len(taken), want)
	}
	p.Give(flow, 20500)
	for range 2 {
		if port, mine := p.Take(flow); mine != taken[20500] || mine && port != 20500 {
			t.Errorf("port %d, own: %t", port, mine)
		}
		taken[20500] = false
	}
}

// TestPortsComeAgainLate: recorders flag a port that is used again soon.
func TestPortsComeAgainLate(t *testing.T) {
	p := NewPorts()
	seen := map[uint16]bool{}
	for range portCount - len(unfitPorts) {
		port, _ := p.Take(flow)
		if seen[port] {
			t.Fatalf("port %d again after %d", port, len(seen))
		}
		seen[port] = true
		p.Give(flow, port)
	}
}

func TestPortOfTheSessionIsNotTaken(t *testing.T) {
	p := NewPorts()
	own := flow
	own.Client = netip.AddrPortFrom(flow.Client.Addr(), firstPort+7)
	for range portCount {
		if port, mine := p.Take(own); mine && port == own.Client.Port() {
			t.Fatal("taken")
		}
	}
}

func TestPortsOfManySessions(t *testing.T) {
	p := NewPorts()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			f := flow
			f.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i / 4)}), 40000)
			for range 1000 {
				port, mine := p.Take(f)
				if mine {
					p.Give(f, port)
				}
			}
		})
	}
	wg.Wait()
}
