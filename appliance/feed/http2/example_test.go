package http2_test

import (
	"fmt"
	"net/netip"

	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/mirror"
)

// printer is a sink that prints payload.
type printer struct{}

func (printer) Send(frames []mirror.Frame) (int, error) {
	for _, f := range frames {
		if len(f.Payload) > 0 {
			fmt.Printf("%q\n", f.Payload)
		}
	}
	return len(frames), nil
}
func (printer) MTU() int   { return 1500 }
func (printer) Idle() bool { return false }

func Example() {
	s := http2.Open(printer{}, mirror.Flow{
		Client: netip.MustParseAddrPort("192.0.2.1:50000"),
		Origin: netip.MustParseAddrPort("198.51.100.2:443"),
	}, http2.Options{})
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	s.Data(mirror.ClientToOrigin, []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+settings))
	s.Data(mirror.ClientToOrigin, []byte("\x00\x00\x09\x01\x05\x00\x00\x00\x01\x82\x84\x87\x01\x04test")) // HEADERS
	s.Data(mirror.OriginToClient, []byte(settings+"\x00\x00\x01\x01\x05\x00\x00\x00\x01\x89"))
	account := s.Close()
	fmt.Println(account.Octets, s.Report().Rendered)
	// Output:
	// "GET / HTTP/1.1\r\nhost: test\r\n\r\n"
	// "HTTP/1.1 204 No Content\r\n\r\n"
	// [51 19] [30 27]
}
