package mirror_test

import (
	"fmt"
	"net/netip"

	"github.com/clearspan/clearspan/mirror"
)

// printer is a sink that prints what a recorder would see.
type printer struct{}

func (printer) Send(frames []mirror.Frame) (int, error) {
	for _, f := range frames {
		fmt.Printf("%d octets %q\n", f.Len(), f.Payload)
	}
	return len(frames), nil
}
func (printer) MTU() int   { return 1500 }
func (printer) Idle() bool { return false }

func Example() {
	flow := mirror.Flow{
		Client: netip.MustParseAddrPort("192.0.2.1:50000"),
		Origin: netip.MustParseAddrPort("198.51.100.2:443"),
	}
	c := mirror.Open(printer{}, flow, mirror.Options{})
	c.Data(mirror.ClientToOrigin, []byte("GET / HTTP/1.1\r\n\r\n"))
	c.Data(mirror.OriginToClient, []byte("HTTP/1.1 204 No Content\r\n\r\n"))
	account := c.Close()
	fmt.Println(account.Frames, account.Octets, account.Lost)
	// Output:
	// 74 octets ""
	// 74 octets ""
	// 66 octets ""
	// 84 octets "GET / HTTP/1.1\r\n\r\n"
	// 93 octets "HTTP/1.1 204 No Content\r\n\r\n"
	// 66 octets ""
	// 66 octets ""
	// 66 octets ""
	// 8 [18 27] map[]
}
