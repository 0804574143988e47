package request

import (
	"bytes"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// encoder writes header blocks without a dynamic table. The first one has the origin empty
// its own.
type encoder struct {
	block bytes.Buffer
	hpack *hpack.Encoder
	out   []byte
}

func newEncoder() *encoder {
	e := &encoder{}
	e.hpack = hpack.NewEncoder(&e.block)
	e.hpack.SetMaxDynamicTableSize(0)
	return e
}

// encode returns the frames of a header block with these fields, in place of f. The result
// is valid until the next call. Padding is left out, and so is priority, which RFC 9113
// deprecates.
func (e *encoder) encode(f *http2.Frame, fields []hpack.HeaderField) []byte {
	e.block.Reset()
	for _, field := range fields {
		e.hpack.WriteField(field) // a buffer takes everything
	}
	e.out = http2.AppendHeaders(e.out[:0], f.Stream, f.EndsStream(), e.block.Bytes())
	return e.out
}
