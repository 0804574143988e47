package mail

import (
	"bufio"
	"errors"
	"io"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// maxLine bounds a line of the dialogue, in octets; that of AUTH is the longest
// (RFC 4954, Section 4.5.3).
const maxLine = 12 << 10

var errLongLine = errors.New("line is too long")

// input reads one direction.
type input struct {
	br    *bufio.Reader
	lines line.Buffer
	most  int               // octets of a line, without its end
	fault func(error) error // of a line that is longer
}

func newInput(end decrypt.End) *input { return newInputOf(end, maxLine, violatedSMTP) }

// newInputOf returns an input whose lines have up to most octets. It takes memory for
// lines as long as they are.
func newInputOf(end decrypt.End, most int, fault func(error) error) *input {
	return &input{br: bufio.NewReaderSize(end, maxLine+2), lines: line.Buffer{Head: most + 2}, most: most, fault: fault}
}

// line returns a line without its end. It is valid until the next read. io.EOF: the
// direction ended, in the middle of a line or not.
func (in *input) line() ([]byte, error) {
	for length := 0; ; {
		p, err := in.some()
		if err != nil {
			return nil, err
		}
		text, n, whole := in.lines.Next(p)
		in.br.Discard(n)
		if length += n; length > in.most+2 {
			return nil, in.fault(errLongLine)
		}
		if whole {
			return line.Trim(text), nil
		}
	}
}

// some returns the octets that are there, at least one. They are valid until the next
// read.
func (in *input) some() ([]byte, error) {
	if _, err := in.br.Peek(1); err != nil {
		return nil, err
	}
	return in.br.Peek(in.br.Buffered())
}

// within is the error of a direction that ends in the middle of something.
func within(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
