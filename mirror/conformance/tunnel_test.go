package conformance_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/mirror/conformance"
)

// TestTunnelsAreNamed: a feed that comes through a tunnel is not ready, and the report
// says which tunnel it is.
func TestTunnelsAreNamed(t *testing.T) {
	inner := session(flow4).frames
	ethernet := func(kind ...byte) []byte { return append(make([]byte, 12), kind...) }
	ip := func(protocol byte, n int) []byte {
		h := slices.Concat(ethernet(8, 0), []byte{0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2})
		put16(h, 16, uint16(20+n))
		return h
	}
	udp := func(port uint16, payload []byte) []byte {
		h := []byte{0x50, 0, byte(port >> 8), byte(port), 0, 0, 0, 0}
		put16(h, 4, uint16(8+len(payload)))
		return slices.Concat(ip(17, 8+len(payload)), h, payload)
	}
	gre := func(kind uint16, payload []byte) []byte {
		return slices.Concat(ip(47, 4+len(payload)), []byte{0, 0, byte(kind >> 8), byte(kind)}, payload)
	}
	for name, wrap := range map[string]func(f []byte) []byte{
		"VXLAN":    func(f []byte) []byte { return udp(4789, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 1, 0}, f)) },
		"GENEVE":   func(f []byte) []byte { return udp(6081, slices.Concat([]byte{0, 0, 0x65, 0x58, 0, 0, 1, 0}, f)) },
		"GRE":      func(f []byte) []byte { return gre(0x0800, f[14:]) },
		"ERSPAN":   func(f []byte) []byte { return gre(0x88be, f) },
		"IP in IP": func(f []byte) []byte { return slices.Concat(ip(4, len(f)-14), f[14:]) },
		"MPLS":     func(f []byte) []byte { return slices.Concat(ethernet(0x88, 0x47), []byte{0, 0, 0x11, 64}, f[14:]) },
		"PPPoE": func(f []byte) []byte {
			return slices.Concat(ethernet(0x88, 0x64), []byte{0x11, 0, 0, 1, 0, 99, 0, 0x21}, f[14:])
		},
	} {
		c := conformance.New(conformance.Options{MTU: 9000})
		for _, f := range inner {
			c.Add(wrap(f), 0, start)
		}
		r := c.Report()
		other := r.Results[conformance.Other]
		if r.Ready || other.Count != uint64(len(inner)) || !strings.HasPrefix(other.First[0].Text, name+": ") {
			t.Errorf("%s: ready %v, %+v", name, r.Ready, other)
		}
	}
}
