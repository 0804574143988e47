package imap

import (
	"bytes"
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Contents says what of a message an item of a FETCH response is.
type Contents uint8

const (
	NoContents Contents = iota // flags, sizes, envelopes, structures
	Whole                      // BODY[], RFC822 or BINARY[]
	Header                     // header fields alone, of the message or of a part
	Part                       // text or a part
)

// Item is an item of a FETCH response (RFC 9051, Section 7.5.2). Its parts are valid
// until the next call of the [Fetch].
type Item struct {
	Name    []byte // "BODY", "RFC822.SIZE", "BINARY" ...
	Section []byte // in brackets; nil without them
	Offset  uint64 // of a partial item, see Partial
	Partial bool   // only octets from Offset on
}

// Contents returns what the item is. Names that are too long to be kept are a [Part].
func (i Item) Contents() Contents {
	switch {
	case line.Is(i.Name, "RFC822"):
		return Whole
	case line.Is(i.Name, "RFC822.HEADER"):
		return Header
	case line.Is(i.Name, "RFC822.TEXT"):
		return Part
	case !line.Is(i.Name, "BODY") && !line.Is(i.Name, "BINARY") || i.Section == nil:
		return NoContents
	case len(i.Section) == 0:
		return Whole
	}
	last := i.Section
	for dot := bytes.IndexByte(last, '.'); dot > 0 && isNumber(last[:dot]); dot = bytes.IndexByte(last, '.') {
		last = last[dot+1:]
	}
	last, _ = line.Word(last, line.Blanks)
	if line.Is(last, "HEADER") || line.Is(last, "MIME") || line.Is(last, "HEADER.FIELDS") || line.Is(last, "HEADER.FIELDS.NOT") {
		return Header
	}
	return Part
}

func isNumber(word []byte) bool {
	for _, c := range word {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// maxName is how many octets of the name of an item are kept. Only lists of header
// fields are longer.
const maxName = 256

// Fetch walks through the list of a FETCH response. The zero value stands before it. A
// Fetch keeps the name of one item.
type Fetch struct {
	place   place
	name    []byte
	bracket bool // name is within its brackets
	depth   int  // parentheses that are open in the value at hand
}

// place is where a Fetch stands.
type place uint8

const (
	before place = iota // before the list
	names               // before or in a name
	values              // before a value, or in one that has parentheses
	after               // behind the list
)

// Line walks through the text of the response: what [ParseResponse] leaves of its first
// line, or a line behind a literal. An announcement at its end is left for
// [Fetch.Literal]. quoted is called with each value that is a quoted string: its text is
// text[from:to], as it came.
func (f *Fetch) Line(text []byte, quoted func(i Item, from, to int)) {
	end := len(line.Trim(text))
	if l, ok := ParseLiteral(text[:end]); ok {
		end = l.At
	}
	for i := 0; i < end; {
		switch c := text[i]; {
		case f.place == names && (f.bracket || c != ' ' && c != '\t' && c != ')'):
			i = f.readName(text[:end], i)
		case c == ' ', c == '\t':
			i++
		case f.place == before:
			if f.place = after; c == '(' {
				f.place = names
			}
			i++
		case f.place == names, f.place == after: // the parenthesis that ends the list
			f.place = after
			i++
		default:
			i = f.readValue(text[:end], i, quoted)
		}
	}
}

// readName takes a name, or a part of one, from index i on.
func (f *Fetch) readName(text []byte, i int) int {
	from := i
	for ; i < len(text); i++ {
		c := text[i]
		if f.bracket {
			f.bracket = c != ']'
			if end := quotedEnd(text, i+1); c == '"' && end >= 0 {
				i = end
			}
			continue
		}
		if c == '[' {
			f.bracket = true
		}
		if c == ' ' || c == '\t' || c == ')' {
			f.place = values
			break
		}
	}
	f.name = append(f.name, text[from:i][:min(i-from, maxName-len(f.name))]...)
	return i
}

// readValue takes a value, or a part of one, from index i on.
func (f *Fetch) readValue(text []byte, i int, quoted func(Item, int, int)) int {
	switch text[i] {
	case '(':
		f.depth++
		return i + 1
	case ')':
		if f.depth == 0 { // an item without a value, and the end of the list
			f.place = after
			return i + 1
		}
		f.depth--
	case '"':
		end := quotedEnd(text, i+1)
		if end < 0 {
			end = len(text)
		}
		if f.depth == 0 && quoted != nil {
			quoted(f.item(), i+1, end)
		}
		i = min(end, len(text)-1)
	default:
		for i+1 < len(text) && !bytes.Contains([]byte(" \t()\""), text[i+1:i+2]) {
			i++
		}
	}
	f.valued()
	return i + 1
}

// valued ends the item if its value is over.
func (f *Fetch) valued() {
	if f.depth == 0 {
		f.place, f.name = names, f.name[:0]
	}
}

// Literal takes the literal that the last line has announced. ok is false if it is no
// value of an item, but a part of one or of a name.
func (f *Fetch) Literal() (i Item, ok bool) {
	if f.place != values || f.depth > 0 {
		return Item{}, false
	}
	i = f.item()
	f.valued()
	return i, true
}

// Over reports whether the list is over.
func (f *Fetch) Over() bool { return f.place == after }

// item reads the name.
func (f *Fetch) item() (i Item) {
	i.Name = f.name
	open := bytes.IndexByte(f.name, '[')
	if open < 0 {
		return i
	}
	i.Name, i.Section = f.name[:open], f.name[open+1:]
	shut := bytes.LastIndexByte(i.Section, ']')
	if shut < 0 {
		return i
	}
	rest := i.Section[shut+1:]
	i.Section = i.Section[:shut:shut]
	if origin, ok := bytes.CutPrefix(rest, []byte("<")); ok {
		i.Partial = true
		i.Offset, _ = strconv.ParseUint(string(bytes.TrimSuffix(origin, []byte(">"))), 10, 63)
	}
	return i
}
