package mail

import (
	"bufio"
	"bytes"
	"io"
	"os"
)

// content is what a message consists of, as it came: with the dots of
// transparency if dotted is set, without the dot that ends it.
type content struct {
	dotted    bool
	dots      int64 // of transparency
	ambiguous bool  // a dot alone between line ends that are not CRLF
	large     bool  // longer than what is held: nothing is kept
	lost      error // it cannot be held: nothing is kept
	length    int64 // octets as they came

	most   int64
	memory int
	dir    string
	mem    []byte
	file   *os.File // holds what does not fit; it has no name
}

func (x *session) newContent(dotted bool) *content {
	return &content{dotted: dotted, most: x.cfg.MaxMessage, memory: x.cfg.Memory, dir: x.cfg.Dir}
}

// Write appends octets. It never fails, but may find that the content cannot be
// held.
func (c *content) Write(p []byte) (int, error) {
	if c.large || c.lost != nil {
		return len(p), nil
	}
	c.length += int64(len(p))
	switch {
	case c.length > c.most:
		c.large = true
	case c.file == nil && len(c.mem)+len(p) <= c.memory:
		c.mem = append(c.mem, p...)
	default:
		c.lost = c.store(p)
	}
	if c.large || c.lost != nil {
		c.close()
	}
	return len(p), nil
}

// store appends octets to the file, and makes it first if there is none.
func (c *content) store(p []byte) error {
	if c.file == nil {
		f, err := os.CreateTemp(c.dir, "mail-")
		if err != nil {
			return err
		}
		c.file = f
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
	}
	_, err := c.file.Write(p)
	return err
}

// close lets everything go. A nil content has nothing.
func (c *content) close() {
	if c == nil {
		return
	}
	c.mem = nil
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}

// raw returns the octets as they came.
func (c *content) raw() io.Reader {
	if c.file == nil {
		return bytes.NewReader(c.mem)
	}
	return io.MultiReader(bytes.NewReader(c.mem), io.NewSectionReader(c.file, 0, 1<<62))
}

// text returns the octets without the dots of transparency, and their number.
func (c *content) text() (io.Reader, int64) {
	if !c.dotted {
		return c.raw(), c.length
	}
	return &undotted{r: c.raw(), start: true}, c.length - c.dots
}

// readOctets takes n octets; only if wanted is set they are kept.
func (c *content) readOctets(br *bufio.Reader, n int64, wanted bool) error {
	var buf [16 << 10]byte
	for n > 0 {
		k, err := br.Read(buf[:min(n, int64(len(buf)))])
		n -= int64(k)
		if err != nil {
			return unexpected(err)
		}
		if wanted {
			c.Write(buf[:k])
		}
	}
	return nil
}

// readDotted takes content up to the line with a dot (RFC 5321, Section 4.1.1.4).
func (c *content) readDotted(br *bufio.Reader) error {
	e := ending{last: crlf}
	for {
		_, err := br.Peek(1)
		if err != nil {
			return unexpected(err)
		}
		p, _ := br.Peek(br.Buffered())
		n, over := e.scan(p)
		if over {
			n++ // with the last octet
		}
		c.Write(p[:n])
		br.Discard(n)
		if over {
			c.dots, c.ambiguous = e.dots, e.ambiguous
			c.cut(3)
			return nil
		}
	}
}

// cut takes n octets off the end.
func (c *content) cut(n int64) {
	if c.large || c.lost != nil {
		return
	}
	c.length -= n
	stored := max(0, c.length-int64(len(c.mem)))
	c.mem = c.mem[:min(int64(len(c.mem)), c.length)]
	if c.file != nil {
		c.lost = c.file.Truncate(stored)
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// lineEnd is what stands before an octet.
type lineEnd uint8

const (
	none lineEnd = iota
	bareCR
	bareLF
	crlf
)

// ending looks for the end of dotted content, octet by octet.
type ending struct {
	last      lineEnd // before the current octet
	dot       bool    // the current line began with a dot, and is no longer so far
	before    lineEnd // what stood before that dot
	dots      int64
	ambiguous bool
}

// scan returns how many octets come before the one that ends the content, and
// whether it is there.
func (e *ending) scan(p []byte) (int, bool) {
	for i, b := range p {
		switch b {
		case '\r':
			if e.last == bareCR && e.dot { // a dot, CR, CR
				e.dot, e.ambiguous = false, true
			}
			e.last = bareCR
		case '\n':
			end := bareLF
			if e.last == bareCR {
				end = crlf
			}
			if e.dot {
				if end == crlf && e.before == crlf {
					e.dots-- // it was no transparency
					return i, true
				}
				e.dot, e.ambiguous = false, true
			}
			e.last = end
		default:
			if e.dot && e.last == bareCR { // a dot, CR, and more
				e.ambiguous = true
			}
			if b == '.' && e.last == crlf {
				e.dots++
			}
			e.dot = b == '.' && e.last != none
			e.before, e.last = e.last, none
		}
	}
	return len(p), false
}

// undotted takes the dots of transparency away: those at the beginning of a line
// behind CRLF.
type undotted struct {
	r     io.Reader
	start bool // of a line
	cr    bool
}

// Read implements io.Reader.
func (u *undotted) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	out := p[:0]
	for _, b := range p[:n] {
		if !u.start || b != '.' {
			out = append(out, b)
		}
		u.start = u.cr && b == '\n'
		u.cr = b == '\r'
	}
	return len(out), err
}

// dotted adds them, and ends the last line.
type dotted struct {
	w     io.Writer
	start bool // of a line
	cr    bool
}

// Write implements io.Writer.
func (d *dotted) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+len(p)/32+8)
	for _, b := range p {
		if d.start && b == '.' {
			out = append(out, '.')
		}
		out = append(out, b)
		d.start = d.cr && b == '\n'
		d.cr = b == '\r'
	}
	if _, err := d.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}
