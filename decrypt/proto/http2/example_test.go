package http2_test

import (
	"fmt"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

func Example() {
	p := []byte(http2.Preface)
	p = http2.AppendSettings(p, http2.Setting{ID: http2.EnablePush, Value: 0})
	p = http2.AppendHeaders(p, 1, false, []byte("\x83\x84\x41\x06a.test")) // POST /
	p = http2.AppendData(p, 1, true, []byte("content"))

	r := http2.NewReader(proto.ClientToOrigin, http2.Loose, http2.Limits{})
	d := http2.NewDecoder(64 << 10)
	for len(p) > 0 {
		f, n, err := r.Next(p)
		if err != nil {
			fmt.Println(err)
			return
		}
		if p = p[n:]; f == nil {
			continue
		}
		switch f.Type {
		case http2.Headers:
			fields, _, _ := d.Decode(nil, f)
			fmt.Printf("stream %d asks for %s\n", f.Stream, http2.Authority(fields).Name)
		case http2.Data:
			fmt.Printf("stream %d: %q, ends %v\n", f.Stream, f.Body, f.EndsStream())
		}
	}
	// Output:
	// stream 1 asks for a.test
	// stream 1: "content", ends true
}
