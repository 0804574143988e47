package icap

import (
	"bytes"
	"io"
	"testing"
)

// What a message costs, together with the double on the other side.
func BenchmarkAdapt(b *testing.B) {
	unmodified := func(r *received) { r.say("ICAP/1.0 204 No Content\r\nISTag: \"double-1\"\r\n\r\n") }
	for _, bb := range []struct {
		name   string
		size   int
		handle func(*received)
	}{
		{"preview 204, 1 KiB", 1 << 10, unmodified},
		{"preview 204, 1 MiB", 1 << 20, unmodified},
		{"echo, 1 KiB", 1 << 10, echo},
		{"echo, 1 MiB", 1 << 20, echo},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := client(b, nil, serve(b, usualOptions, bb.handle))
			body := octets(bb.size)
			b.SetBytes(int64(bb.size))
			b.ReportAllocs()
			for b.Loop() {
				m := download(nil, false)
				m.Body = bytes.NewReader(body)
				res, err := c.Adapt(b.Context(), m)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, res.Body); n != int64(len(body)) || err != nil {
					b.Fatal(n, err)
				}
				res.Body.Close()
			}
		})
	}
}
