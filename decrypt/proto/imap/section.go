package imap

import (
	"bytes"
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Place is the place in a message of an item of a FETCH response.
type Place uint8

const (
	Elsewhere Place = iota
	InWhole         // the whole message
	InText          // the message without its header
	InPart          // a part
	InMIME          // the header of a part
	InHeader        // the header of the message
	InFields        // some fields of it
)

// Place returns the place of an item, and the number of the part, such as "2.1", or "TEXT".
func (i Item) Place() (place Place, section string) {
	switch contents := i.Contents(); {
	case contents == Whole:
		return InWhole, ""
	case line.Is(i.Name, "RFC822.TEXT"), line.Is(i.Section, "TEXT"):
		return InText, "TEXT"
	case line.Is(i.Name, "RFC822.HEADER"), line.Is(i.Section, "HEADER"):
		return InHeader, ""
	case contents == NoContents:
		return Elsewhere, ""
	}
	rest := strings.TrimLeft(string(i.Section), "0123456789.")
	number := strings.TrimSuffix(string(i.Section[:len(i.Section)-len(rest)]), ".")
	word, _, fields := strings.Cut(rest, " ")
	switch {
	case rest == "" && number != "":
		return InPart, number
	case strings.EqualFold(rest, "MIME") && number != "":
		return InMIME, number
	case number == "" && fields && strings.EqualFold(word, "HEADER.FIELDS"):
		return InFields, ""
	}
	return Elsewhere, ""
}

// Tells reports whether the list of a FETCH response may tell something for [ParseTold].
func Tells(text []byte) bool {
	return bytes.Contains(text, []byte("BODY")) || bytes.Contains(text, []byte("RFC822.SIZE"))
}
