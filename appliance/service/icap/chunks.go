package icap

import (
	"bufio"
	"errors"
	"io"
	"strings"
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

// Read implements io.Reader. io.EOF says that the body came whole.
func (c *chunks) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.br.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil {
		c.err = unexpected(err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// next reads up to the octets of the next chunk. io.EOF: there is none.
func (c *chunks) next() error {
	if c.mid {
		var end [2]byte
		if _, err := io.ReadFull(c.br, end[:]); err != nil {
			return unexpected(err)
		}
		if end != [2]byte{'\r', '\n'} {
			return errors.New("malformed end of a chunk")
		}
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

// unexpected turns an end of the connection into one that came too early.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
