package dissect

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/deflate"
)

// maxTold is how many octets behind COMPRESS tell whether a feed has inflated them already.
const maxTold = 8

// deflated is one direction of IMAP behind COMPRESS (RFC 4978).
type deflated struct {
	first    []byte // as long as it is not known what comes
	known    bool
	inflater *deflate.Inflater // nil: the feed has inflated what comes
	read     func(p []byte)    // what was inflated
	cause    Cause             // of read
}

// compress has both directions inflated from now on.
func (x *imapReader) compress() {
	for dir := range proto.Direction(2) {
		d := new(deflated)
		d.read = func(p []byte) {
			if d.cause == reading {
				d.cause = x.read(dir, p)
			}
		}
		x.deflated[dir] = d
	}
}

// data takes octets as they come.
func (d *deflated) data(p []byte) Cause {
	if !d.known {
		d.first = append(d.first, p...)
		if len(d.first) < maxTold && bytes.IndexByte(d.first, '\n') < 0 {
			return reading
		}
		d.begin()
		p, d.first = d.first, nil
	}
	switch {
	case d.inflater == nil:
		d.read(p)
	case d.inflater.Write(p, d.read) > 0 && d.cause == reading:
		return StopBroken
	}
	return d.cause
}

// begin tells text from what is deflated.
func (d *deflated) begin() {
	d.known = true
	for _, c := range d.first[:min(len(d.first), maxTold)] {
		if c >= 0x7f || c < ' ' && c != '\r' && c != '\n' && c != '\t' {
			d.inflater = deflate.New(false)
			return
		}
	}
}

// end reads what was not flushed.
func (d *deflated) end() {
	switch {
	case d == nil:
	case d.inflater != nil:
		d.inflater.End(d.read)
	case !d.known:
		d.known = true
		d.read(d.first)
		d.first = nil
	}
}

// close ends the inflater.
func (d *deflated) close() {
	if d != nil && d.inflater != nil {
		d.inflater.Close()
	}
}
