package h1

import (
	"bytes"
	"io"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
)

// headReader finds header blocks in what one end sends. It is for one goroutine.
type headReader struct {
	in      *buffered.End
	scanned int // octets of Unread in which no end was found
	line    int // where the line at scanned begins
}

// read waits for a whole header block and returns it, unconsumed: start line to
// the empty line, each line ended by CRLF. word says why it is refused. One empty
// line before a request is dropped (RFC 9112, Section 2.2).
func (r *headReader) read(kind adapt.Kind) (raw []byte, word string, err error) {
	spare := kind == adapt.Request
	for {
		p := r.in.Unread()
		for {
			i := bytes.IndexByte(p[r.scanned:], '\n')
			if i < 0 {
				r.scanned = len(p)
				break
			}
			i += r.scanned
			if i == 0 || p[i-1] != '\r' {
				return nil, adapt.BareLF, nil
			}
			empty := i-1 == r.line
			r.scanned, r.line = i+1, i+1
			if !empty {
				continue
			}
			r.scanned, r.line = 0, 0
			if i > 1 {
				return p[:i+1], "", nil
			}
			if !spare {
				return nil, adapt.BadStart, nil
			}
			spare = false
			r.in.Consume(2)
			p = r.in.Unread()
		}
		switch err := r.in.Fill(); err {
		case nil:
		case io.ErrShortBuffer:
			return nil, adapt.HeadSize, nil
		default:
			return nil, "", err
		}
	}
}
