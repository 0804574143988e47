package ftp

import (
	"bytes"
	"strings"
)

// maxLine is how much of a line is kept: the longest that matters is an EPRT with
// an IPv6 address, or a 227 with a sentence around it.
const maxLine = 256

// line is the line of one direction that is being read, its first octets.
type line struct {
	octets [maxLine]byte
	n      int
}

// add takes octets up to the end of the line, and returns the rest.
func (l *line) add(p []byte) (rest []byte, whole bool) {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		l.n += copy(l.octets[l.n:], p)
		return nil, false
	}
	l.n += copy(l.octets[l.n:], p[:end])
	return p[end+1:], true
}

// take returns the line without its end, and begins another.
func (l *line) take() string {
	text := strings.TrimRight(string(l.octets[:l.n]), "\r")
	l.n = 0
	return text
}

// cut returns the verb of a command in upper case, and its argument.
func cut(text string) (verb, argument string) {
	verb, argument, _ = strings.Cut(text, " ")
	return strings.ToUpper(verb), strings.TrimSpace(argument)
}
