package pcapng_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapng"
)

func Example() {
	dir, err := os.MkdirTemp("", "pcapng")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	sink, err := pcapng.Open(pcapng.Config{Directory: dir, RotateSize: 1 << 30, Keep: 168})
	if err != nil {
		log.Fatal(err)
	}
	frame := mirror.Frame{Header: make([]byte, 54), Payload: []byte("hello"), Note: "rule default"}
	n, err := sink.Send([]mirror.Frame{frame})
	fmt.Println(n, err)
	sink.Close()

	files, _ := filepath.Glob(filepath.Join(dir, "clearspan-*.pcapng"))
	fmt.Println(len(files), "file")
	// Output:
	// 1 <nil>
	// 1 file
}
