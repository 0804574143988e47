package afpacket_test

import (
	"log"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
)

// It is compiled, not run: it needs an interface and CAP_NET_RAW.
func Example() {
	sink, err := afpacket.Open(afpacket.Config{Interface: "mirror0", Full: mirror.Drop})
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()

	frame := mirror.Frame{Header: make([]byte, 54), Payload: []byte("hello")}
	if n, err := sink.Send([]mirror.Frame{frame}); err != nil {
		log.Printf("%d frames sent, the rest lost: %s", n, mirror.LossReason(err))
	}
}
