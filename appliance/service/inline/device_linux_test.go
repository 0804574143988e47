package inline

import (
	"net/netip"
	"testing"
)

func TestCarry(t *testing.T) {
	b := newLab(t)
	b.bridge()
	b.open(nil)
	for _, tt := range []struct {
		name           string
		client, origin netip.AddrPort
	}{
		{"IPv4", client4, origin4},
		{"IPv6", client6, origin6},
		{"IPv4 to IPv6", client4, origin6},
		{"IPv6 to IPv4", client6, origin4},
		{"a client on this machine", netip.MustParseAddrPort("127.0.0.1:50123"), origin4},
		{"both on this machine", netip.MustParseAddrPort("[::1]:50123"), netip.MustParseAddrPort("[::1]:443")},
		{"a low port", netip.MustParseAddrPort("192.0.2.7:99"), origin4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := *b
			b.t = t
			s := b.carry(b.Device, tt.client, tt.origin)
			b.exchange(s, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n")
			b.end(s, b.Device, Carried)
			if s.err != nil {
				t.Error(s.err)
			}
		})
	}
}
