package object

import (
	"bytes"
	"strconv"
)

// chunks takes off the framing of aws-chunked: a line with the length in hexadecimal digits
// and perhaps a signature, the octets, a line end; a chunk of length 0 and trailers last.
type chunks struct {
	next  stage
	line  []byte
	left  uint64 // octets of the chunk
	gap   bool   // the line end behind a chunk comes
	ended bool   // the last chunk was there, or the framing is broken
	bad   bool
	begun bool // a chunk was there
	plain bool // the framing is not there: octets pass as they are
}

// maxFirstLine bounds the line in front of the first chunk.
const maxFirstLine = 1024

func (c *chunks) write(p []byte) {
	for len(p) > 0 && !c.ended {
		if c.plain {
			c.next.write(p)
			return
		}
		if c.left > 0 {
			n := int(min(c.left, uint64(len(p))))
			c.next.write(p[:n])
			c.left -= uint64(n)
			c.gap = c.left == 0
			p = p[n:]
			continue
		}
		end := bytes.IndexByte(p, '\n')
		if !c.begun && end < 0 && len(c.line)+len(p) > maxFirstLine {
			c.plain = true
			c.next.write(c.line)
			c.line = nil
			continue
		}
		if end < 0 || len(c.line)+end > maxHeader {
			c.line = append(c.line, p[:min(len(p), maxHeader)]...)
			c.ended = len(c.line) > maxHeader
			c.bad = c.ended
			return
		}
		c.line = append(c.line, p[:end]...)
		p = p[end+1:]
		c.header()
	}
}

// header reads the line in front of a chunk.
func (c *chunks) header() {
	line := bytes.TrimRight(c.line, "\r")
	end := append(c.line[len(line):], '\n')
	c.line = c.line[:0]
	if c.gap && len(line) == 0 {
		c.gap = false
		return
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	n, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 62)
	if err != nil && !c.begun { // the sender states a framing that is not there
		c.plain = true
		c.next.write(line)
		c.next.write(end)
		return
	}
	c.begun = true
	c.bad = err != nil
	c.ended = c.bad || n == 0
	c.left = n
}

func (c *chunks) hole(n uint64) {
	if c.ended {
		return
	}
	if c.plain {
		c.next.hole(n)
		return
	}
	if n > c.left { // where the next chunk begins is not known
		c.ended, c.left = true, c.left+1
		return
	}
	c.next.hole(n)
	c.left -= n
	c.gap = c.left == 0
}

func (c *chunks) close(e Ending) {
	if !c.begun && !c.plain && len(c.line) > 0 {
		c.next.write(c.line)
	}
	switch {
	case c.plain:
	case c.bad:
		e = Broken
	case !c.ended || c.left > 0:
		e = max(e, Cut)
	}
	c.next.close(e)
}
