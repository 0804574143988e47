package http1

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

// Chunks returns the state of the chunked coding.
func (c *Content) Chunks() *Chunks { return &c.chunks }
