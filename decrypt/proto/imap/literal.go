package imap

import (
	"bytes"
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Literal is the announcement of a literal: {12}, {12+} or ~{12}.
type Literal struct {
	Size   uint64 // in octets, below 1<<63
	Plus   bool   // it follows without the server's consent (RFC 7888)
	Binary bool   // it may hold NUL (RFC 3516, Section 4.4)
	At     int    // index of the announcement in the line
}

// ParseLiteral reads the announcement at the end of a line, which comes with or without
// its own end. ok is false without one. It does not look at what stands before the
// announcement, see [Literal.Proper].
func ParseLiteral(text []byte) (l Literal, ok bool) {
	text, ok = bytes.CutSuffix(line.Trim(text), []byte("}"))
	open := bytes.LastIndexByte(text, '{')
	if !ok || open < 0 {
		return l, false
	}
	digits, plus := bytes.CutSuffix(text[open+1:], []byte("+"))
	size, err := strconv.ParseUint(string(digits), 10, 63)
	if err != nil {
		return l, false
	}
	l = Literal{Size: size, Plus: plus, At: open}
	if open > 0 && text[open-1] == '~' {
		l.Binary, l.At = true, open-1
	}
	return l, true
}

// Proper reports whether the announcement stands where a string may: behind a blank or
// a parenthesis, or at the beginning of a line that goes on, and not within quotes.
func (l Literal) Proper(text []byte) bool {
	if l.At > 0 && text[l.At-1] != ' ' && text[l.At-1] != '(' {
		return false
	}
	_, whole := braces(text[:l.At])
	return whole
}

// braces reports whether text has an opening brace outside of quoted strings, and whether
// each quoted string ends in it. Only quotes and backslashes have a backslash before them
// (RFC 9051, Section 9, quoted).
func braces(text []byte) (open, whole bool) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == '{' && !quoted:
			open = true
		}
	}
	return open, !quoted
}

// quotedEnd returns the index of the quote that ends a string whose text begins at from,
// -1 without one.
func quotedEnd(text []byte, from int) int {
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
