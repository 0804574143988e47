package icap

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// chunks reads a chunked body up to and with its trailers, of which it keeps nothing.
type chunks struct {
	br     *bufio.Reader
	coding http1.Chunks
	mid    bool // a chunk has begun: its CRLF is due
	done   bool
	err    error // sticky

	original int64 // offset of use-original-body; -1: the body is complete
}

func newChunks(br *bufio.Reader) *chunks {
	return &chunks{br: br, coding: http1.Chunks{Padded: true, AnyTrailer: true}, original: -1}
}

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
		case c.coding.Content() == 0:
			c.err = c.next()
			continue
		}
		m, err := c.br.Read(p[n:min(uint64(len(p)), uint64(n)+c.coding.Content())])
		c.coding.Next(p[n : n+m])
		c.mid = true
		n += m
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
	if c.coding.Content() > 0 {
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
	for c.coding.Content() == 0 {
		if c.coding.Done() {
			var err error
			if c.original, err = useOriginal(string(c.coding.Extensions())); err != nil {
				return err
			}
			c.done = true
			return io.EOF
		}
		p, err := c.br.Peek(max(1, c.br.Buffered()))
		if len(p) == 0 {
			return unexpected(err)
		}
		n, _, fault := c.coding.Next(p)
		if fault != http1.Sound {
			return fault
		}
		c.br.Discard(n)
	}
	return nil
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
