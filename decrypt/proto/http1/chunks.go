package http1

import "bytes"

const (
	maxChunkLine  = 1 << 10  // of a size with its extensions, in octets
	maxTrailers   = 16 << 10 // of all trailers, in octets
	maxSizeDigits = 15       // of a chunk's size, which is below 2^60
)

// Chunks finds content and framing in the chunked coding (RFC 9112, Section 7.1),
// in whatever pieces it comes. The zero value is strict and at the start of the
// content.
//
// A loose one takes LF as a line end, and any octets behind a size. It keeps
// nothing. A strict one keeps the trailers, at most 16 KiB, and the extensions of
// the last chunk, at most 1 KiB.
type Chunks struct {
	Mode       Mode
	Padded     bool // take white space behind a size, as some servers write it
	AnyTrailer bool // take trailers that set fields which trailers may not set

	state  chunkState
	left   uint64 // of the chunk's content
	digits int
	line   int // octets of the line so far

	extensions []byte // of the last chunk
	pending    []byte // a trailer line under way
	trailers   []byte
}

type chunkState uint8

const (
	inSize chunkState = iota
	inPadding
	inExtension
	sizeLF
	inContent
	contentCR
	contentLF
	inTrailer
	chunksDone
)

// Done reports whether the content is over, with its trailers.
func (c *Chunks) Done() bool { return c.state == chunksDone }

// Content returns how many octets of content come next; 0 if framing does.
func (c *Chunks) Content() uint64 {
	if c.state == inContent {
		return c.left
	}
	return 0
}

// Trailers returns the trailer section without its empty line, as it came. It is
// valid until the next call of a method.
func (c *Chunks) Trailers() []byte { return c.trailers }

// Extensions returns what stands behind the size of the last chunk and its
// semicolon. It is valid until the next call of a method.
func (c *Chunks) Extensions() []byte { return c.extensions }

// Next consumes octets of p: n octets of content, or else n of framing up to where
// content begins or the coding ends. n is 0 only for an empty p, behind the end, or
// beside a fault: then it refuses the octet at n. Content is never split from what
// is at hand of its chunk.
func (c *Chunks) Next(p []byte) (n int, content bool, fault Fault) {
	if c.state == inContent && len(p) > 0 {
		n = int(min(c.left, uint64(len(p))))
		if c.left -= uint64(n); c.left == 0 {
			c.state = contentCR
		}
		return n, true, Sound
	}
	if n = c.quick(p); n > 0 {
		return n, false, Sound
	}
	for n < len(p) && c.state != inContent && c.state != chunksDone {
		if c.state == inExtension && c.Mode == Loose {
			i := bytes.IndexByte(p[n:], '\n')
			if i < 0 {
				return len(p), false, Sound
			}
			n += i
		}
		if fault := c.framing(p[n]); fault != Sound {
			return n, false, fault
		}
		n++
	}
	return n, false, Sound
}

// quick takes what mostly stands before a chunk, if p begins with all of it: the end of
// the chunk before, and a size without extensions. It returns 0 for anything else.
func (c *Chunks) quick(p []byte) (n int) {
	switch {
	case c.state == contentCR && len(p) > 2 && p[0] == '\r' && p[1] == '\n':
		n = 2
	case c.state != inSize || c.digits > 0:
		return 0
	}
	size, end := uint64(0), min(len(p), n+maxSizeDigits)
	for ; n < end; n++ {
		v, ok := hexDigit(p[n])
		if !ok {
			break
		}
		size = size<<4 | uint64(v)
	}
	if size == 0 || n+1 >= len(p) || p[n] != '\r' || p[n+1] != '\n' {
		return 0
	}
	c.state, c.left, c.digits, c.line = inContent, size, 0, 0
	return n + 2
}

// skip passes over n octets of content that are lost. It reports whether they are
// octets of the chunk under way.
func (c *Chunks) skip(n uint64) bool {
	if c.state != inContent || n > c.left {
		return false
	}
	if c.left -= n; c.left == 0 {
		c.state = contentCR
	}
	return true
}

// framing takes one octet that is no content.
func (c *Chunks) framing(b byte) Fault {
	c.line++
	switch c.state {
	case inSize:
		return c.size(b)
	case inPadding:
		return c.behindSize(b)
	case inExtension:
		return c.extension(b)
	case sizeLF:
		if b != '\n' {
			return BadChunk
		}
		c.begin()
	case contentCR:
		switch {
		case b == '\r':
			c.state = contentLF
		case b == '\n' && c.Mode == Loose:
			c.state, c.digits, c.line = inSize, 0, 0
		default:
			return BadChunk
		}
	case contentLF:
		if b != '\n' {
			return BadChunk
		}
		c.state, c.digits, c.line = inSize, 0, 0
	case inTrailer:
		return c.trailer(b)
	}
	return Sound
}

// size takes an octet of a size, or the one behind it.
func (c *Chunks) size(b byte) Fault {
	if v, ok := hexDigit(b); ok {
		if c.digits++; c.digits > maxSizeDigits {
			return BadChunk
		}
		c.left = c.left<<4 | uint64(v)
		return Sound
	}
	if c.digits == 0 {
		return BadChunk
	}
	return c.behindSize(b)
}

// behindSize takes what follows the digits of a size.
func (c *Chunks) behindSize(b byte) Fault {
	switch {
	case c.Mode == Loose:
		if c.state = inExtension; b == '\n' {
			c.begin()
		}
	case b == '\r':
		c.state = sizeLF
	case b == ';':
		c.state = inExtension
	case (b == ' ' || b == '\t') && c.Padded && c.line < maxChunkLine:
		c.state = inPadding
	default:
		return BadChunk
	}
	return Sound
}

// extension takes an octet of the extensions.
func (c *Chunks) extension(b byte) Fault {
	switch {
	case c.Mode == Loose:
		if b == '\n' {
			c.begin()
		}
	case b == '\r':
		c.state = sizeLF
	case classes[b]&control != 0, c.line > maxChunkLine:
		return BadChunk
	case c.left == 0:
		c.extensions = append(c.extensions, b)
	}
	return Sound
}

// begin starts the chunk whose line is over.
func (c *Chunks) begin() {
	c.line = 0
	if c.state = inContent; c.left == 0 {
		c.state = inTrailer
	}
}

// trailer takes an octet of the trailers, or of the empty line behind them.
func (c *Chunks) trailer(b byte) Fault {
	if c.Mode == Loose {
		switch {
		case b == '\r':
			c.line-- // perhaps of the empty line
		case b == '\n' && c.line == 1:
			c.state = chunksDone
		case b == '\n':
			c.line = 0
		}
		return Sound
	}
	if len(c.trailers)+len(c.pending) >= maxTrailers {
		return HeadSize
	}
	c.pending = append(c.pending, b)
	if b != '\n' {
		return Sound
	}
	line, _, bare := cutLine(c.pending)
	if bare {
		return BareLF
	}
	if len(line) == 0 {
		c.pending, c.state = nil, chunksDone
		return Sound
	}
	f := ParseField(line)
	switch {
	case f.Fault != Sound:
		return f.Fault
	case !c.AnyTrailer && forbidden(f.Name):
		return BadTrailer
	}
	c.trailers = append(c.trailers, c.pending...)
	c.pending = c.pending[:0]
	return Sound
}

// forbidden reports whether trailers must not set a field (RFC 9110, Section 6.5.1).
// Gateways of CGI read an underscore like a hyphen.
func forbidden(name []byte) bool {
	for _, word := range []string{"content-length", "content_length", "transfer-encoding", "transfer_encoding", "host", "trailer"} {
		if Is(name, word) {
			return true
		}
	}
	return false
}

func hexDigit(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= lower(b) && lower(b) <= 'f':
		return lower(b) - 'a' + 10, true
	}
	return 0, false
}
