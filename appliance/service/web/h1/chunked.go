package h1

import (
	"bytes"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

const (
	maxChunkLine = 1 << 10  // a size with its extensions
	maxTrailer   = 16 << 10 // all trailers
)

// chunker finds data and framing in the chunked coding (RFC 9112, Section 7.1),
// whatever pieces it comes in. The zero value is at the start of a body.
type chunker struct {
	state   chunkState
	left    uint64 // of the chunk's data
	digits  int
	line    int // octets of the line so far
	pending []byte
	trailer []byte // all trailers, CRLF behind each
	lenient bool   // white space behind a size, as old servers write it
}

type chunkState uint8

const (
	inSize chunkState = iota
	inPadding
	inExtension
	sizeLF
	inData
	dataCR
	dataLF
	inTrailer
	chunksDone
)

func (c *chunker) done() bool { return c.state == chunksDone }

// next consumes octets of p: n of data, or else n of framing up to where data
// begin or the body ends. n is 0 only for an empty p, or behind the end. word
// says why the octet at n is refused.
func (c *chunker) next(p []byte) (n int, data bool, word string) {
	if c.state == inData && len(p) > 0 {
		n = int(min(c.left, uint64(len(p))))
		if c.left -= uint64(n); c.left == 0 {
			c.state = dataCR
		}
		return n, true, ""
	}
	for n < len(p) && c.state != inData && c.state != chunksDone {
		if word := c.framing(p[n]); word != "" {
			return n, false, word
		}
		n++
	}
	return n, false, ""
}

// framing takes one octet that is no data.
func (c *chunker) framing(b byte) string {
	c.line++
	switch c.state {
	case inSize:
		if v, ok := hexDigit(b); ok {
			if c.digits++; c.digits > 15 {
				return adapt.BadChunk
			}
			c.left = c.left<<4 | uint64(v)
			return ""
		}
		if c.digits == 0 {
			return adapt.BadChunk
		}
		return c.behindSize(b)
	case inPadding:
		return c.behindSize(b)
	case inExtension:
		switch {
		case b == '\r':
			c.state = sizeLF
		case adapt.IsControl(b), c.line > maxChunkLine:
			return adapt.BadChunk
		}
	case sizeLF:
		if b != '\n' {
			return adapt.BadChunk
		}
		c.line = 0
		if c.state = inData; c.left == 0 {
			c.state = inTrailer
		}
	case dataCR:
		if b != '\r' {
			return adapt.BadChunk
		}
		c.state = dataLF
	case dataLF:
		if b != '\n' {
			return adapt.BadChunk
		}
		c.state, c.digits, c.line = inSize, 0, 0
	case inTrailer:
		return c.inTrailer(b)
	}
	return ""
}

// behindSize takes what follows the digits of a size.
func (c *chunker) behindSize(b byte) string {
	switch {
	case b == '\r':
		c.state = sizeLF
	case b == ';':
		c.state = inExtension
	case b == ' ' && c.lenient && c.line < maxChunkLine:
		c.state = inPadding
	default:
		return adapt.BadChunk
	}
	return ""
}

// inTrailer takes an octet of the trailers, or of the empty line behind them.
func (c *chunker) inTrailer(b byte) string {
	if len(c.trailer)+len(c.pending) >= maxTrailer {
		return adapt.HeadSize
	}
	c.pending = append(c.pending, b)
	if b != '\n' {
		return ""
	}
	n := len(c.pending) - 2
	if n < 0 || c.pending[n] != '\r' {
		return adapt.BareLF
	}
	if n == 0 {
		c.pending, c.state = nil, chunksDone
		return ""
	}
	name, _, word := adapt.SplitField(c.pending[:n])
	switch {
	case word != "":
		return word
	case adapt.Equal(name, "content-length"), adapt.Equal(name, "transfer-encoding"), adapt.Equal(name, "host"), adapt.Equal(name, "trailer"),
		bytes.IndexByte(name, '_') >= 0 && (adapt.Equal(name, "content_length") || adapt.Equal(name, "transfer_encoding")):
		return adapt.BadTrailer // RFC 9110, Section 6.5.1
	}
	c.trailer = append(c.trailer, c.pending...)
	c.pending = c.pending[:0]
	return ""
}

func hexDigit(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
