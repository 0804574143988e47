package mail

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine bounds a line of the dialogue, in octets; that of AUTH is the longest
// (RFC 4954, Section 4.5.3).
const maxLine = 12 << 10

var errLongLine = errors.New("line is too long")

// lines reads one direction.
type lines struct{ br *bufio.Reader }

func newLines(r io.Reader) *lines { return &lines{bufio.NewReaderSize(r, maxLine+2)} }

// next returns a line without its end, which is LF or CRLF. It is valid until the
// next read. io.EOF: the direction ended, in the middle of a line or not.
func (l *lines) next() ([]byte, error) {
	line, err := l.br.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, &violation{errLongLine}
	case err != nil:
		return nil, err
	}
	line = line[:len(line)-1]
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// isVerb reports whether a first word can be a command. What cannot might be one
// to a server that is less strict.
func isVerb(verb string) bool {
	for _, c := range []byte(verb) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return verb != ""
}

// word returns the first word of a line, in upper case, and the rest; "" for one
// that is longer than any command.
func word(line []byte) (verb string, rest []byte) {
	line = bytes.TrimLeft(line, " \t")
	end := bytes.IndexAny(line, " \t")
	if end < 0 {
		end = len(line)
	}
	if end > 16 { // no command is as long
		return "", nil
	}
	return string(bytes.ToUpper(line[:end])), bytes.Trim(line[end:], " \t")
}
