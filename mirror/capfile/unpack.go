package capfile

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds how far back a stream of Zstandard may point: as its program does with
// --long=27.
const maxWindow = 128 << 20

// counter counts the octets that are read from a stream.
type counter struct {
	r      io.Reader
	octets uint64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.octets += uint64(n)
	return n, err
}

// packings are forms of compression that cannot be read here, by their first octets.
var packings = []struct{ magic, name string }{
	{"\xfd7zX", "xz"}, {"\x04\x22\x4d\x18", "lz4"}, {"PK\x03\x04", "zip"}, {"7z\xbc\xaf", "7z"},
}

// unpack has the reader go on within a compressed stream, if it is one.
func (s *Reader) unpack() error {
	magic, _ := s.r.Peek(4)
	if len(magic) < 4 {
		return nil // too short for a capture, too
	}
	for _, p := range packings {
		if string(magic) == p.magic {
			return fmt.Errorf("compressed by %s: unpack it first", p.name)
		}
	}
	c := &counter{r: s.r}
	var within io.Reader
	switch {
	case magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(bufio.NewReader(c))
		if err != nil {
			return fmt.Errorf("unpack gzip: %w", err)
		}
		within = z
	case string(magic[:3]) == "BZh":
		within = bzip2.NewReader(c)
	case string(magic) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(c, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return fmt.Errorf("unpack zstd: %w", err)
		}
		within = z
	default:
		return nil
	}
	s.packed, s.r = c, bufio.NewReaderSize(unpacked{within}, bufferSize)
	return nil
}

// unpacked names the errors of a compressed stream.
type unpacked struct{ r io.Reader }

func (u unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return n, fmt.Errorf("unpack: %w", ErrTorn)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("unpack: %w", err)
	}
	return n, err
}
