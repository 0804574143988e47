package mail

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/clearspan/clearspan/decrypt/proto/smtp"
)

// content is what a message consists of, as it came: with the dots of
// transparency if dotted is set, without the dot that ends it.
type content struct {
	dotted    bool
	dots      int64 // octets as they came that are dots of transparency
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
	return &undotted{r: c.raw()}, c.length - c.dots
}

// readOctets takes n octets; only if wanted is set they are kept.
func (c *content) readOctets(in *input, n int64, wanted bool) error {
	for n > 0 {
		p, err := in.some()
		if err != nil {
			return within(err)
		}
		p = p[:min(n, int64(len(p)))]
		if wanted {
			c.Write(p)
		}
		in.br.Discard(len(p))
		n -= int64(len(p))
	}
	return nil
}

// endOctets is the length of the dot that ends content, and its line end.
const endOctets = 3

// readDotted takes content up to the line with a dot (RFC 5321, Section 4.1.1.4).
func (c *content) readDotted(in *input) error {
	var end smtp.Content
	for over := false; !over; {
		p, err := in.some()
		if err != nil {
			return within(err)
		}
		n := 0
		for n < len(p) && !over {
			var text []byte
			var k int
			text, k, over = end.Next(p[n:])
			n += k
			c.dots += int64(k - len(text))
		}
		c.Write(p[:n])
		in.br.Discard(n)
	}
	c.dots -= endOctets
	c.ambiguous = end.Ambiguous
	c.cut(endOctets)
	return nil
}

// fill takes content that a service has changed, and adds what DATA needs: dots of
// transparency, and the end of the last line.
func (c *content) fill(body io.Reader) (err error) {
	if c.dotted {
		d := dotted{w: c}
		if _, err = io.Copy(&d, body); err == nil && d.dots.Within() {
			c.Write([]byte("\r\n"))
		}
	} else {
		_, err = io.Copy(c, body)
	}
	if c.large || c.lost != nil {
		return errors.New("changed message cannot be held")
	}
	return err
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

// undotted reads content without its dots of transparency.
type undotted struct {
	r       io.Reader
	content smtp.Content
	buffer  [4 << 10]byte
	in      []byte // what was read and not looked at
	text    []byte // what was looked at and not given
}

// Read implements io.Reader.
func (u *undotted) Read(p []byte) (int, error) {
	for len(u.text) == 0 {
		if len(u.in) == 0 {
			n, err := u.r.Read(u.buffer[:])
			if n == 0 {
				return 0, err
			}
			u.in = u.buffer[:n]
		}
		text, n, _ := u.content.Next(u.in)
		u.text, u.in = text, u.in[n:]
	}
	n := copy(p, u.text)
	u.text = u.text[n:]
	return n, nil
}

// dotted writes content with dots of transparency.
type dotted struct {
	w    io.Writer
	dots smtp.Dots
	out  []byte
}

// Write implements io.Writer.
func (d *dotted) Write(p []byte) (int, error) {
	d.out = d.dots.Append(d.out[:0], p)
	if _, err := d.w.Write(d.out); err != nil {
		return 0, err
	}
	return len(p), nil
}
