package clienthello_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/clearspan/clearspan/decrypt/clienthello"
)

// A hello that arrives in pieces.
func ExampleParse() {
	wire, _ := hex.DecodeString("160301004c" + "01000048" + "0303" +
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" + "00" +
		"0002c02b" + "0100" + "001d" +
		"00000011000f00000c" + hex.EncodeToString([]byte("example.test")) +
		"000d000400020403")
	client := bytes.NewReader(wire)

	var peeked []byte
	piece := make([]byte, 50)
	for {
		n, _ := client.Read(piece)
		peeked = append(peeked, piece[:n]...)
		hello, _, err := clienthello.Parse(peeked)
		if errors.Is(err, clienthello.ErrShort) {
			fmt.Println("need more than", len(peeked))
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(hello.ServerName, hello.JA4())
		return
	}
	// Output:
	// need more than 50
	// example.test t12d010200_648b5c445417_79c50902419d
}
