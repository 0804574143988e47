package linktest

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/mirror"
)

// Flows are the shapes of conversations that every method must carry. The
// source MAC is the one that the recorder listens to.
var Flows = []struct {
	Name string
	Flow mirror.Flow
	Mark mirror.Mark
}{
	{"IPv4", mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:80")}, mirror.Mark{}},
	{"IPv6", mirror.Flow{Client: netip.MustParseAddrPort("[2001:db8::1]:50001"), Origin: netip.MustParseAddrPort("[2001:db8:1::2]:80")}, mirror.Mark{}},
	{"IPv4 VLAN", mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50002"), Origin: netip.MustParseAddrPort("198.51.100.2:80")}, mirror.Mark{VLAN: 7}},
	{"IPv6 VLAN", mirror.Flow{Client: netip.MustParseAddrPort("[2001:db8::1]:50003"), Origin: netip.MustParseAddrPort("[2001:db8:1::2]:80")}, mirror.Mark{VLAN: 4094}},
}

// Options makes renderings of the same session comparable.
func Options(mark mirror.Mark) mirror.Options {
	mark.SourceMAC = [6]byte(SourceMAC)
	return mirror.Options{
		Mark: mark,
		ISN:  func() uint32 { return 1<<32 - 100_000 }, // wraps on the way
		Now:  func() time.Time { return time.UnixMilli(1 << 40) },
	}
}

// Session shows a request and an answer of n octets, and returns what was sent.
func Session(c *mirror.Conversation, n int) (sent [2][]byte) {
	request := []byte("GET /object HTTP/1.1\r\nHost: origin.test\r\n\r\n")
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", n)
	for i := range n {
		answer = append(answer, byte(i*7>>3))
	}
	sent = [2][]byte{request, answer}
	c.Data(mirror.ClientToOrigin, request)
	for chunk := 1; len(answer) > 0; chunk = min(2*chunk+1, 64<<10) {
		chunk = min(chunk, len(answer))
		c.Data(mirror.OriginToClient, answer[:chunk])
		answer = answer[chunk:]
	}
	return sent
}
