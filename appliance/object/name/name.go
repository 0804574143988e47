// Package name reads the names that senders give to files, and texts of header fields, in
// all the forms that are in use: encoded words (RFC 2047), also where they should not be;
// parameters in pieces and with a charset (RFC 2231, RFC 5987), percent-encoded octets, and
// octets of a charset that nothing announces. It keeps no state.
package name

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds a name, in octets.
const maxName = 4 << 10

// Base returns the last part of a path as senders write it, with / or \, as a name that is
// safe to show and to give to a file: without control characters, marks of direction and
// the names . and ... It returns "" if nothing is left.
func Base(text string) string {
	text = strings.ReplaceAll(text, `\`, "/")
	text = path.Base("/" + strings.TrimRight(text, "/"))
	text = strings.TrimSpace(strings.Map(visible, text))
	if text == "" || text == "." || text == ".." || text == "/" {
		return ""
	}
	for len(text) > maxName {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return text
}

// visible keeps characters that show what they are.
func visible(r rune) rune {
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\ufeff':
		return -1
	}
	return r
}
