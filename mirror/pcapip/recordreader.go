package pcapip

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// errNoStream is returned for octets that no sink of ours sends.
var errNoStream = errors.New("not the stream of a mirror")

// recordReader reads what a sink sends to a reader.
type recordReader struct {
	in    *bufio.Reader
	limit int // octets of a frame
	begun bool
	frame []byte
}

func newRecordReader(r io.Reader, limit int) *recordReader {
	return &recordReader{in: bufio.NewReaderSize(r, chunkSize), limit: limit}
}

// next returns the octets of the next frame, valid until the next call. io.EOF says that the
// stream ended between two frames.
func (r *recordReader) next() ([]byte, error) {
	if !r.begun {
		head := make([]byte, len(fileHead()))
		if _, err := io.ReadFull(r.in, head); err != nil {
			return nil, err
		}
		if !bytes.Equal(head, fileHead()) {
			return nil, errNoStream
		}
		r.begun = true
	}
	var head [recordHead]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[8:])
	if n == 0 || n > uint32(r.limit) || n != binary.LittleEndian.Uint32(head[12:]) {
		return nil, fmt.Errorf("%w: frame of %d octets", errNoStream, n)
	}
	if cap(r.frame) < int(n) {
		r.frame = make([]byte, n)
	}
	r.frame = r.frame[:n]
	_, err := io.ReadFull(r.in, r.frame)
	return r.frame, err
}

// end returns nil for an error that is the end of a stream: its process has ended.
func (r *recordReader) end(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
