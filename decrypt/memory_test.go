package decrypt

import (
	"net/netip"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	var m memory[int]
	now := time.Unix(1_800_000_000, 0)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	if m.known(1, now) {
		t.Error("knows what it was not told")
	}
	m.add(1, a, now, time.Minute)
	if !m.known(1, now.Add(time.Minute-1)) || m.known(1, now.Add(time.Minute)) || m.keys.Len() != 0 {
		t.Errorf("remembered for too short or too long: %d entries", m.keys.Len())
	}
	m.add(1, a, now, time.Minute)
	m.add(1, b, now.Add(30*time.Second), time.Minute)
	if !m.known(1, now.Add(80*time.Second)) || m.keys.Len() != 1 {
		t.Error("not longer when told again")
	}
}

// TestMemoryIsFair: a client with any number of keys, of any number of addresses in
// its network, pushes out none of another, and the memory is bounded.
func TestMemoryIsFair(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, from := range map[string]func(int) netip.Addr{
		"one address": func(int) netip.Addr { return netip.MustParseAddr("192.0.2.2") },
		"one IPv6 /64": func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory[int]
			for i := range 10 {
				m.add(-i, netip.MustParseAddr("192.0.2.1"), now, time.Hour)
			}
			for i := range 3 * memoryEntries {
				m.add(1+i, from(i), now, time.Hour)
				if i%2 == 0 {
					m.add(-3, from(i), now, time.Hour) // another's stays another's
				}
			}
			for i := range 10 {
				if !m.known(-i, now) {
					t.Errorf("forgot key %d of another client", i)
				}
			}
			if n := m.keys.Len(); n != memoryOfEach+10 {
				t.Errorf("%d entries", n)
			}
			if !m.known(3*memoryEntries, now) || m.known(1, now) {
				t.Error("the newest is gone, or the oldest is not")
			}
		})
	}
}

// TestMemoryIsBounded has many clients: what was not used goes.
func TestMemoryIsBounded(t *testing.T) {
	var m memory[int]
	now := time.Unix(1_800_000_000, 0)
	for i := range 3 * memoryEntries {
		m.add(i, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now, time.Hour)
		if !m.known(0, now) {
			t.Fatalf("forgot what is in use, after %d", i)
		}
	}
	if m.keys.Len() != memoryEntries {
		t.Errorf("%d entries", m.keys.Len())
	}
}
