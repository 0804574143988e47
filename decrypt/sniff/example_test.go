package sniff_test

import (
	"fmt"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

func ExampleClient() {
	for _, octets := range []string{"\x16\x03\x01", "CONN", "CONNECT example.test:443"} {
		p, more := sniff.Client([]byte(octets))
		fmt.Printf("%q more=%v\n", p, more)
	}
	// Output:
	// "tls" more=false
	// "" more=true
	// "http" more=false
}

func ExampleOrigin() {
	p, _ := sniff.Origin([]byte("220 example.test ready\r\n"))
	fmt.Println(p == sniff.Greeting220, sniff.Command(p, []byte("EHLO client.test\r\n")))
	// Output: true smtp
}
