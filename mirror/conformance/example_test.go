package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/clearspan/clearspan/mirror/conformance"
)

func Example() {
	frames := session(flow4).frames
	frames[4][len(frames[4])-1] ^= 1 // on the way, after the checksum was made
	capture := pcapOf(frames, 1<<16, false)

	checker := conformance.New(conformance.Options{})
	if err := checker.ReadFrom(context.Background(), bytes.NewReader(capture), nil); err != nil {
		log.Fatal(err)
	}
	report := checker.Report()
	fmt.Println(report.Ready, report.Broken(conformance.Fail))
	// Output: false [tcp-sum]
}
