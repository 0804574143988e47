package dissect

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// chunkSearch looks for the next chunk behind a gap that hides where a chunk ends. What it
// finds may be content that looks like framing: the message has a hole in any case.
type chunkSearch struct {
	size  uint64 // of the largest chunk before; 0: none came
	begun bool   // what is right behind the gap was looked at: it is no message
	tail  []byte // octets that may be framing
	made  int    // of them, which did not come: an end of line may be lost
}

// chunks are what is known of those of a message.
type chunks struct {
	size    uint64 // of the largest; 0: none came, or nobody asks
	framing uint64 // in front of one, with the end of the one before
	between uint64 // octets of framing since the last content
}

// took notes octets of a message.
func (c *chunks) took(n int, content bool, left uint64) {
	switch {
	case !content:
		c.between += uint64(n)
	case c.between > 0:
		if c.size == 0 {
			c.between += 2 // the end of no chunk
		}
		c.framing, c.between = c.between, 0
		c.size = max(c.size, uint64(n)+left)
	}
}

const (
	maxDigits    = 8
	maxExtension = 64 // octets behind a size
	maxUnlikely  = 2  // digits of a size that are not believed
	usualFraming = 8  // octets, where no chunk came before
)

// begin begins a search behind a gap. lost is how many of its octets are framing or content. It
// returns how many of them are content: all but the framing of chunks like those before.
func (c *chunks) begin(lost uint64) (s *chunkSearch, content uint64) {
	framing, n := uint64(usualFraming), uint64(1)
	if c.size > 0 {
		framing = c.framing
		n = (lost + c.size + framing - 1) / (c.size + framing)
	}
	return &chunkSearch{size: c.size, tail: []byte("\r\n"), made: 2}, lost - min(lost, n*framing)
}

// next looks through octets. It returns those that are content, and what follows them from
// the size of a chunk on; rest is nil as long as there is none.
func (c *chunkSearch) next(p []byte) (content, rest []byte) {
	octets := append(c.tail, p...)
	for i := 0; ; {
		k := bytes.IndexByte(octets[i:], '\r')
		if k < 0 {
			c.tail = nil
			return c.came(octets), nil
		}
		i += k
		switch is, more := c.framing(octets[i:]); {
		case more:
			c.tail = bytes.Clone(octets[i:])
			return c.came(octets[:i]), nil
		case is:
			return c.came(octets[:i]), octets[i+2:]
		}
		i++
	}
}

// came returns octets without those that did not come.
func (c *chunkSearch) came(octets []byte) []byte {
	n := min(c.made, len(octets))
	c.made -= n
	return octets[n:]
}

// framing reports whether octets that begin with CR are the end of a chunk and the size of
// the next one.
func (c *chunkSearch) framing(p []byte) (is, more bool) {
	if len(p) < 2 {
		return false, true
	}
	if p[1] != '\n' {
		return false, false
	}
	digits, size := p[2:], uint64(0)
	n := 0
	for ; n < len(digits) && n < maxDigits; n++ {
		v := bytes.IndexByte([]byte("0123456789abcdef"), digits[n]|0x20)
		if v < 0 {
			break
		}
		size = size<<4 | uint64(v)
	}
	end := "\r\n"
	if size == 0 {
		end = "\r\n\r\n" // and no trailers
	}
	behind := extension(digits[n:])
	switch {
	case len(behind) < len(end) && bytes.HasPrefix([]byte(end), behind) && n > 0 || n == len(digits):
		return false, true
	case n == 0 || !bytes.HasPrefix(behind, []byte(end)):
		return false, false
	}
	return size == 0 || size == c.size || n > maxUnlikely && (c.size == 0 || size < c.size), false
}

// extension passes over an extension behind the size of a chunk, if there is one.
func extension(p []byte) []byte {
	if len(p) == 0 || p[0] != ';' {
		return p
	}
	for i, c := range p[:min(len(p), maxExtension)] {
		if c < ' ' && c != '\t' {
			return p[i:]
		}
	}
	return p[min(len(p), maxExtension):]
}

// search goes on with the message of a side behind a gap. It returns what is behind what it
// has found; nil if it took all.
func (h *http1Reader) search(dir proto.Direction, p []byte) (rest []byte) {
	side, chunks := &h.sides[dir], h.chunks(dir)
	c := chunks.search
	if !c.begun {
		c.tail = append(c.tail, p...)
		found, more := sniff.Midway(dir, c.tail[c.made:])
		if found == sniff.Unknown && more {
			return nil
		}
		p, c.tail, c.begun = c.tail[c.made:], c.tail[:c.made:c.made], true
		if found == sniff.HTTP {
			h.ended(dir)
			return p
		}
	}
	content, rest := c.next(p)
	h.s.content(&side.message.Exchange, dir, content)
	if rest != nil {
		chunks.search, chunks.doubted = nil, true
		*side.content = http1.NewContent(http1.Framing{Extent: http1.ByChunks}, http1.Loose, dir == proto.OriginToClient)
	}
	return rest
}

// ended ends the message of a side that is searched: another one begins.
func (h *http1Reader) ended(dir proto.Direction) {
	side := &h.sides[dir]
	x, chunks := side.message, h.chunks(dir)
	h.s.content(&x.Exchange, dir, chunks.search.came(chunks.search.tail))
	contentPool.Put(side.content)
	chunks.search, side.message, side.content = nil, nil, nil
	h.s.end(&x.Exchange, dir, Lost)
	h.over(dir, x)
}

// answers ends the content of a request that is searched, if its answer comes.
func (h *http1Reader) answers(x *http1Exchange) {
	if c := h.chunks(proto.ClientToOrigin); c != nil && c.search != nil && h.sides[proto.ClientToOrigin].message == x {
		h.ended(proto.ClientToOrigin)
	}
}

// asked ends the content of an answer that is searched, if the next request comes.
func (h *http1Reader) asked() {
	if c := h.chunks(proto.OriginToClient); c != nil && c.search != nil && len(h.open) == 1 && h.open[0] == h.sides[proto.OriginToClient].message {
		h.ended(proto.OriginToClient)
	}
}
