package imap

import (
	"bytes"
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Wanted is an item that a FETCH command asks for (RFC 9051, Section 6.4.5).
type Wanted struct {
	Item     // BODY for BODY.PEEK, too
	Length   uint64
	From, To int // of the partial in the argument, "<0.100>"; equal without one
}

// WantedItems returns the items with a section in the argument of FETCH, in order. It
// looks at no other items.
func WantedItems(argument []byte) (list []Wanted) {
	for i := 0; i < len(argument); i++ {
		if argument[i] != '[' {
			continue
		}
		from := bytes.LastIndexAny(argument[:i], " (") + 1
		w := Wanted{Item: Item{Name: argument[from:i]}}
		if peek := len(w.Name) - len(".PEEK"); peek > 0 && line.Is(w.Name[peek:], ".PEEK") {
			w.Name = w.Name[:peek]
		}
		end := sectionEnd(argument, i+1)
		w.Section = argument[i+1 : end : end]
		i = min(end, len(argument)-1)
		w.partial(argument, end+1)
		list = append(list, w)
	}
	return list
}

// sectionEnd returns the index of the bracket that ends a section.
func sectionEnd(text []byte, from int) int {
	for i := from; i < len(text); i++ {
		switch text[i] {
		case ']':
			return i
		case '"':
			if end := quotedEnd(text, i+1); end >= 0 {
				i = end
			}
		}
	}
	return len(text)
}

// partial reads <offset.length> at an index of the argument.
func (w *Wanted) partial(argument []byte, at int) {
	w.From, w.To = at, at
	if at >= len(argument) || argument[at] != '<' {
		return
	}
	end := bytes.IndexByte(argument[at:], '>')
	if end < 0 {
		return
	}
	offset, length, ok := bytes.Cut(argument[at+1:at+end], []byte("."))
	o, err := strconv.ParseUint(string(offset), 10, 63)
	n, err2 := strconv.ParseUint(string(length), 10, 63)
	if ok && err == nil && err2 == nil {
		w.Partial, w.Offset, w.Length, w.To = true, o, n, at+end+1
	}
}
