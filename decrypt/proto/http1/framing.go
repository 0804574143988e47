package http1

import "bytes"

// Extent is how the end of content is found.
type Extent uint8

const (
	NoContent Extent = iota
	ByLength
	ByChunks
	ToClose // of the connection
)

// Framing says where the content of a message ends (RFC 9112, Section 6.3).
type Framing struct {
	Extent Extent
	Length int64 // of [ByLength], above 0
}

// framingFields collects what the fields of one message say about its framing.
type framingFields struct {
	mode     Mode
	response bool

	length  int64 // -1 without one
	coded   bool  // there is a Transfer-Encoding
	chunked bool  // chunked is the last coding
	coding  bool  // the line before is, or continues, a Transfer-Encoding
	bad     Fault // of the lengths: a coding may overrule it
}

// add takes the next field line.
func (c *framingFields) add(f *Field) Fault {
	if f.Fault == Folded {
		if c.coding {
			c.code(f.Value)
		}
		return Sound
	}
	c.coding = false
	switch len(f.Name) {
	case len("content-length"):
		switch {
		case Is(f.Name, "content_length") && c.mode == Strict: // gateways of CGI read the two alike
			return BadName
		case Is(f.Name, "content-length"):
			return c.measure(f.Value)
		}
	case len("transfer-encoding"):
		switch {
		case Is(f.Name, "transfer_encoding") && c.mode == Strict:
			return BadName
		case Is(f.Name, "transfer-encoding"):
			if c.mode == Strict && (c.coded || !Is(f.Value, "chunked")) {
				return BadCoding
			}
			c.coding = true
			c.code(f.Value)
		}
	}
	return Sound
}

// measure takes a Content-Length. A loose reader takes a list of equal ones.
func (c *framingFields) measure(value []byte) Fault {
	if c.mode == Strict {
		c.oneLength(value)
		return c.bad
	}
	for one := range bytes.SplitSeq(value, comma) {
		c.oneLength(Trim(one))
	}
	return Sound
}

var comma = []byte{','}

// oneLength takes one length.
func (c *framingFields) oneLength(value []byte) {
	n, ok := ParseLength(value)
	switch {
	case !ok:
		c.bad = worse(c.bad, BadLength)
	case c.length >= 0 && (n != c.length || c.mode == Strict && !c.response):
		c.bad = worse(c.bad, DuplicateLength)
	default:
		c.length = n
	}
}

// code takes a list of transfer codings. The obsolete identity is none.
func (c *framingFields) code(list []byte) {
	last := Trim(list[bytes.LastIndexByte(list, ',')+1:])
	if len(last) == 0 || Is(last, "identity") {
		return
	}
	c.coded, c.chunked = true, Is(last, "chunked")
}

// framing decides, when all fields of a message of HTTP/1.minor were added.
func (c *framingFields) framing(minor int) (Framing, Fault) {
	if c.mode == Strict && c.coded {
		switch {
		case c.length >= 0:
			return Framing{}, LengthAndCoding
		case minor == 0:
			return Framing{}, OldCoding
		}
	}
	switch {
	case c.chunked:
		return Framing{Extent: ByChunks}, Sound
	case c.coded && !c.response:
		return Framing{}, BadCoding
	case c.coded:
		return Framing{Extent: ToClose}, Sound
	case c.bad != Sound:
		return Framing{}, c.bad
	case c.length > 0:
		return Framing{ByLength, c.length}, Sound
	case c.length < 0 && c.response:
		return Framing{Extent: ToClose}, Sound
	}
	return Framing{}, Sound
}
