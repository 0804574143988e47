package http1

import "math"

// Content tells content from framing behind a head, in whatever pieces it comes.
// Make one by [NewContent].
type Content struct {
	extent Extent
	left   int64 // of ByLength
	chunks Chunks
}

// NewContent returns a Content at its beginning. It takes white space behind the
// sizes of chunks if the message is a response.
func NewContent(f Framing, m Mode, response bool) Content {
	return Content{extent: f.Extent, left: f.Length, chunks: Chunks{Mode: m, Padded: response}}
}

// Next consumes octets of p: n octets of content, or else n octets of framing. n is
// 0 only for an empty p, behind the end, or beside a fault. It does not allocate if
// it is loose.
func (c *Content) Next(p []byte) (n int, content bool, fault Fault) {
	switch c.extent {
	case ByLength:
		n = int(min(c.left, int64(len(p))))
		c.left -= int64(n)
		return n, true, Sound
	case ByChunks:
		return c.chunks.Next(p)
	case ToClose:
		return len(p), true, Sound
	}
	return 0, false, Sound
}

// Done reports whether the content is over. Content of [ToClose] never is.
func (c *Content) Done() bool {
	switch c.extent {
	case ByChunks:
		return c.chunks.Done()
	case ToClose:
		return false
	}
	return c.left == 0
}

// Run returns how many octets of content come next for certain; 0 if framing does.
func (c *Content) Run() int64 {
	switch c.extent {
	case ByChunks:
		return int64(c.chunks.Content())
	case ToClose:
		return math.MaxInt64
	}
	return c.left
}

// Chunks returns the state of the chunked coding.
func (c *Content) Chunks() *Chunks { return &c.chunks }

// Extent returns how the end of the content is found.
func (c *Content) Extent() Extent { return c.extent }

// Skip passes over n octets that are lost. It returns how many of them are content
// for certain. If they are fewer than n, the content ends among the octets, and the
// rest belongs to what follows. ok is false if the octets hide where the content
// ends: they reach beyond a chunk, or are framing.
func (c *Content) Skip(n uint64) (content uint64, ok bool) {
	switch c.extent {
	case ByLength:
		content = min(uint64(c.left), n)
		c.left -= int64(content)
		return content, true
	case ByChunks:
		return min(c.chunks.Content(), n), c.chunks.skip(n)
	case ToClose:
		return n, true
	}
	return 0, true
}
