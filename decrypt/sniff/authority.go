package sniff

import (
	"errors"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// Authority is [Host] for the beginning of an HTTP/2 connection: the host of its
// first request, see [http2.Authority]. A connection that breaks the rules of HTTP/2
// before it has none, and leaves no doubt. A request that does not end within 16 KiB
// does.
func Authority(b []byte) (host string, doubt, more bool) {
	short := len(b) < hostLimit
	b = b[:min(len(b), hostLimit)]
	r := http2.NewReader(proto.ClientToOrigin, http2.Loose, http2.Limits{Frames: hostLimit})
	for len(b) > 0 {
		f, n, err := r.Next(b)
		var fault *http2.Fault
		switch {
		case errors.As(err, &fault) && !fault.Passed:
			return "", false, false
		case f != nil && f.Type == http2.Headers:
			return authority(f)
		}
		b = b[n:]
	}
	return "", true, short
}

// authority returns the host in a header block.
func authority(f *http2.Frame) (host string, doubt, more bool) {
	fields, size, err := http2.NewDecoder(maxFields).Decode(nil, f)
	if err != nil || size > maxFields {
		return "", false, false
	}
	h := http2.Authority(fields)
	return string(h.Name), h.Doubt.Doubtful(), false
}

// maxFields bounds the fields of a first request, in octets: a header block of
// hostLimit can stand for much more.
const maxFields = 1 << 20
