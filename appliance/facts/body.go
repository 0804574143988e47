package facts

import "bytes"

// framing says where the content of an HTTP/1.x message ends (RFC 9112, Section
// 6).
type framing uint8

const (
	byLength framing = iota
	chunked
	toClose
)

// body passes over the content of one message.
type body struct {
	framing framing
	left    uint64 // octets of content, or of the chunk under way with its CRLF, that are due
	content uint64 // octets so far
	chunk   chunkState
	size    uint64 // of the chunk whose line is being read
	digits  int
	line    int // octets in a line of the trailer section
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkData
	chunkTrailer
)

// take consumes octets of p. done is set when the content is over, and bad when
// it is no chunked content.
func (b *body) take(p []byte) (n int, done, bad bool) {
	switch b.framing {
	case toClose:
		b.content += uint64(len(p))
		return len(p), false, false
	case byLength:
		n = int(min(b.left, uint64(len(p))))
		b.left -= uint64(n)
		b.content += uint64(n)
		return n, b.left == 0, false
	}
	for n < len(p) {
		if b.chunk == chunkData {
			m := int(min(b.left, uint64(len(p)-n)))
			b.left -= uint64(m)
			n += m
			if b.left == 0 {
				b.chunk, b.size, b.digits = chunkSize, 0, 0
			}
			continue
		}
		c := p[n]
		n++
		switch b.chunk {
		case chunkSize:
			d, ok := hexDigit(c)
			switch {
			case ok && b.digits < 15:
				b.size = b.size<<4 | uint64(d)
				b.digits++
				continue
			case ok || b.digits == 0:
				return n, false, true
			}
			b.chunk = chunkExtension
			if c == '\n' {
				b.begin()
			}
		case chunkExtension:
			if i := bytes.IndexByte(p[n-1:], '\n'); i >= 0 {
				n += i
				b.begin()
			} else {
				n = len(p)
			}
		case chunkTrailer:
			switch {
			case c != '\n':
				if c != '\r' {
					b.line++
				}
			case b.line == 0:
				return n, true, false
			default:
				b.line = 0
			}
		}
	}
	return n, false, false
}

// begin starts the chunk whose size was read.
func (b *body) begin() {
	if b.size == 0 {
		b.chunk, b.line = chunkTrailer, 0
		return
	}
	b.content += b.size
	b.chunk, b.left = chunkData, b.size+2 // with its CRLF
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
