package icap

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
)

// Limits of a chunked body, in octets.
const (
	maxChunkLine = 1 << 10 // with extensions
	maxTrailers  = 8 << 10
	maxDigits    = 15 // of a chunk's size: below 1<<60
)

// chunks reads a chunked body (RFC 9112, Section 7.1) up to and with its
// trailers, of which it keeps nothing.
type chunks struct {
	br   *bufio.Reader
	left int64 // of the chunk at hand
	mid  bool  // a chunk has begun: its CRLF is due
	done bool
	err  error // sticky

	original int64 // offset of use-original-body; -1: the body is complete
}

func newChunks(br *bufio.Reader) *chunks { return &chunks{br: br, original: -1} }

// Read implements io.Reader. io.EOF says that the body came whole. It fills p with
// what is at hand, of as many chunks as that is, and waits for the first octet
// only: servers write chunks that are much smaller than what should be passed on
// together. It allocates nothing for a chunk without extensions.
func (c *chunks) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case c.err != nil:
			return n, c.err
		case n > 0 && !c.ready():
			return n, nil
		case c.left == 0:
			c.err = c.next()
			continue
		}
		m, err := c.br.Read(p[n:min(int64(len(p)), int64(n)+c.left)])
		n += m
		c.left -= int64(m)
		if err != nil {
			c.err = unexpected(err)
		}
	}
	return n, nil
}

// ready reports whether Read goes on without waiting: there are octets of the
// chunk at hand, or what stands before those of the next. The end of
// the body is not ready while trailers are to come.
func (c *chunks) ready() bool {
	if c.err != nil {
		return true
	}
	p, _ := c.br.Peek(c.br.Buffered())
	if c.left > 0 {
		return len(p) > 0
	}
	if c.mid {
		p = p[min(2, len(p)):]
	}
	end := bytes.IndexByte(p, '\n')
	return end >= 0 && (p[0] != '0' || bytes.HasPrefix(p[end+1:], []byte("\r\n")))
}

// next reads up to the octets of the next chunk. io.EOF: there is none.
func (c *chunks) next() error {
	if c.mid {
		end, err := c.br.Peek(2)
		if err != nil {
			return unexpected(err)
		}
		if end[0] != '\r' || end[1] != '\n' {
			return errors.New("malformed end of a chunk")
		}
		c.br.Discard(2)
	}
	left := maxChunkLine
	line, err := readLine(c.br, &left)
	if err != nil {
		return unexpected(err)
	}
	size, extensions, err := chunkSize(line)
	if err != nil {
		return err
	}
	if size > 0 {
		c.left, c.mid = size, true
		return nil
	}
	if c.original, err = useOriginal(extensions); err != nil {
		return err
	}
	for left, n := maxTrailers, 0; ; n++ {
		line, err := readLine(c.br, &left)
		switch {
		case err != nil:
			return unexpected(err)
		case len(line) == 0:
			c.done = true
			return io.EOF
		case n == maxFields:
			return errors.New("body has too many trailers")
		}
		if _, _, err := cutField(line); err != nil {
			return err
		}
	}
}

// chunkSize reads "SIZE" or "SIZE; extensions".
func chunkSize(line []byte) (size int64, extensions string, err error) {
	n := 0
	for n < len(line) {
		d := strings.IndexByte("0123456789abcdef", line[n]|0x20)
		if d < 0 || line[n] < '0' {
			break
		}
		if n++; n > maxDigits {
			return 0, "", errors.New("size of a chunk is out of bounds")
		}
		size = size<<4 | int64(d)
	}
	rest := strings.TrimRight(string(line[n:]), " \t")
	if n == 0 || rest != "" && rest[0] != ';' || !clean(line[n:]) {
		return 0, "", errors.New("malformed size of a chunk")
	}
	return size, strings.TrimPrefix(rest, ";"), nil
}

// useOriginal looks for use-original-body=OFFSET among the extensions of the last
// chunk; -1 without one. Others mean nothing.
func useOriginal(extensions string) (int64, error) {
	for word := range strings.SplitSeq(extensions, ";") {
		name, value, _ := strings.Cut(strings.Trim(word, " \t"), "=")
		if !strings.EqualFold(strings.TrimRight(name, " \t"), "use-original-body") {
			continue
		}
		n, ok := parseDecimal(strings.Trim(value, " \t"), 1<<60)
		if !ok {
			return -1, errors.New("malformed use-original-body")
		}
		return int64(n), nil
	}
	return -1, nil
}

// unexpected turns an end of the connection into one that came too early. Whether
// a server that is killed is seen as an end or as a reset is chance: the sender
// beside may have taken the reset from the socket.
func unexpected(err error) error {
	if gone(err) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// gone reports whether err says that the server has closed the connection.
func gone(err error) bool {
	return err == io.EOF || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
