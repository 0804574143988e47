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
		if d.known = true; !isText(d.first) {
			d.inflater = deflate.New(false)
		}
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

// isText tells text from what is deflated, by its first line or the first octets of that.
func isText(p []byte) bool {
	p = p[:min(len(p), maxTold)]
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		end = len(p)
	}
	for _, c := range p[:end] {
		if c >= 0x7f || c < ' ' && c != '\r' && c != '\t' {
			return false
		}
	}
	return end >= minLine
}

// minLine is how many octets the shortest line has, without LF: "+ " and CR.
const minLine = 3

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
