package pcapip_test

import (
	"fmt"
	"log"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
)

func Example() {
	sink, err := pcapip.Listen(pcapip.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()

	frame := mirror.Frame{Header: make([]byte, 54), Payload: []byte("hello")}
	n, err := sink.Send([]mirror.Frame{frame})
	fmt.Println(sink.Idle(), n, err)
	// Output: true 0 no reader
}
