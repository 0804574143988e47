package vxlan_test

import (
	"log"
	"net/netip"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/vxlan"
)

// It is compiled, not run: it needs a recorder.
func Example() {
	sink, err := vxlan.Open(vxlan.Config{Remote: netip.MustParseAddrPort("192.0.2.1:4789"), VNI: 42})
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()

	frame := mirror.Frame{Header: make([]byte, 54), Payload: []byte("hello")}
	if n, err := sink.Send([]mirror.Frame{frame}); err != nil {
		log.Printf("%d frames sent, the rest lost: %s", n, mirror.LossReason(err))
	}
}
