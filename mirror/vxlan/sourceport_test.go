package vxlan

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// headers returns frames of both directions of a conversation.
func headers(client, origin string, vlan uint16) [][]byte {
	r := &mirrortest.Recorder{}
	c := mirror.Open(r, mirror.Flow{Client: netip.MustParseAddrPort(client), Origin: netip.MustParseAddrPort(origin), VLAN: vlan}, mirror.Options{})
	c.Data(mirror.ClientToOrigin, []byte("ask"))
	c.Data(mirror.OriginToClient, []byte("answer"))
	c.Close()
	return r.Frames()
}

// TestSourcePortIndex: all frames of a conversation have one source port, and many
// conversations use all source ports.
func TestSourcePortIndex(t *testing.T) {
	for _, tt := range []struct {
		name, origin string
		client       string // less its port
		vlan         uint16
	}{
		{"IPv4", "192.0.2.10:443", "198.51.100.2", 0},
		{"IPv4, VLAN", "192.0.2.10:443", "198.51.100.2", 7},
		{"IPv6", "[2001:db8::1]:443", "[2001:db8:51::2]", 0},
		{"IPv6, VLAN", "[2001:db8::1]:443", "[2001:db8:51::2]", 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var used [sourcePorts]int
			for port := range 400 {
				frames := headers(tt.client+":"+string('1'+rune(port%9))+string([]byte{'0' + byte(port/100), '0' + byte(port/10%10), '0' + byte(port%10)}), tt.origin, tt.vlan)
				port := sourcePortIndex(frames[0])
				used[port]++
				for _, f := range frames {
					if sourcePortIndex(f) != port {
						t.Fatal("directions have different source ports")
					}
				}
			}
			if slices.Min(used[:]) == 0 || slices.Max(used[:]) > 100 {
				t.Errorf("conversations a source port: %v", used)
			}
		})
	}
}

// FuzzSourcePortIndex: any octets have a source port, and exchanged addresses the same one.
func FuzzSourcePortIndex(f *testing.F) {
	for _, frame := range slices.Concat(headers("192.0.2.1:1000", "192.0.2.2:443", 0), headers("[2001:db8::1]:1000", "[2001:db8::2]:443", 9)) {
		f.Add(frame)
		f.Add(frame[:len(frame)/2])
	}
	f.Add([]byte{})
	f.Add(make([]byte, 13))
	f.Fuzz(func(t *testing.T, frame []byte) {
		port := sourcePortIndex(frame)
		if port < 0 || port >= sourcePorts {
			t.Fatalf("source port %d", port)
		}
		if len(frame) < 14 || slices.Contains([]uint16{etherIPv4, etherIPv6, etherVLAN}, binary.BigEndian.Uint16(frame[12:])) {
			return
		}
		back := slices.Concat(frame[6:12], frame[:6], frame[12:])
		if sourcePortIndex(back) != port {
			t.Fatal("the way back has another source port")
		}
	})
}
