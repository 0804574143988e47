package extract

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// hidden are the destinations of RTF whose contents are no text.
var hidden = map[string]bool{"fonttbl": true, "colortbl": true, "stylesheet": true, "pict": true, "object": true, "themedata": true, "datastore": true, "generator": true, "latentstyles": true, "listtable": true, "rsidtbl": true}

// rtfReader reads Rich Text Format 1.9.
type rtfReader struct {
	out    bytes.Buffer
	octets []byte // of the code page, until something else comes
	page   string
	depth  int
	hide   int // depth of the group that is hidden; 0: none
	skip   int // characters behind \u that say the same
	uc     int
}

// rtfText returns the text.
func rtfText(p []byte) []byte {
	r := &rtfReader{page: "windows-1252", uc: 1}
	for len(p) > 0 {
		switch c := p[0]; c {
		case '{':
			r.depth++
			p = p[1:]
		case '}':
			if r.depth--; r.hide > r.depth {
				r.hide = 0
			}
			p = p[1:]
		case '\\':
			p = r.control(p[1:])
		case '\r', '\n':
			p = p[1:]
		default:
			r.octet(c)
			p = p[1:]
		}
	}
	r.flush()
	return r.out.Bytes()
}

func (r *rtfReader) flush() {
	if len(r.octets) > 0 {
		r.out.WriteString(name.Decode(r.page, r.octets))
		r.octets = r.octets[:0]
	}
}

func (r *rtfReader) octet(c byte) {
	switch {
	case r.hide > 0:
	case r.skip > 0:
		r.skip--
	default:
		r.octets = append(r.octets, c)
	}
}

// control reads a control word or symbol, behind its backslash.
func (r *rtfReader) control(p []byte) []byte {
	if len(p) == 0 {
		return nil
	}
	if c := p[0]; c < 'a' || c > 'z' {
		switch c {
		case '\'':
			if len(p) >= 3 {
				if v, err := strconv.ParseUint(string(p[1:3]), 16, 8); err == nil {
					r.octet(byte(v))
				}
				return p[3:]
			}
		case '\\', '{', '}':
			r.octet(c)
		case '~':
			r.octet(' ')
		case '*':
			if r.hide == 0 {
				r.hide = max(r.depth, 1)
			}
		}
		return p[1:]
	}
	n := 0
	for n < len(p) && n < 32 && 'a' <= p[n] && p[n] <= 'z' {
		n++
	}
	word := string(p[:n])
	p = p[n:]
	n = 0
	for n < len(p) && n < 10 && ('0' <= p[n] && p[n] <= '9' || n == 0 && p[n] == '-') {
		n++
	}
	value, _ := strconv.Atoi(string(p[:n]))
	if p = p[n:]; len(p) > 0 && p[0] == ' ' {
		p = p[1:]
	}
	return r.word(word, value, p)
}

func (r *rtfReader) word(word string, value int, p []byte) []byte {
	switch {
	case hidden[word]:
		if r.hide == 0 {
			r.hide = max(r.depth, 1)
		}
	case word == "bin" && value > 0:
		return p[min(value, len(p)):]
	case word == "ansicpg":
		if r.page = "windows-" + strconv.Itoa(value); value == 932 {
			r.page = "shift_jis"
		}
	case word == "uc":
		r.uc = min(max(value, 0), 8)
	case r.hide > 0:
	case word == "u":
		r.flush()
		c := rune(uint16(value))
		if !utf8.ValidRune(c) {
			c = utf8.RuneError
		}
		r.out.WriteRune(c)
		r.skip = r.uc
	case word == "par", word == "line", word == "row", word == "page", word == "sect":
		r.flush()
		r.out.WriteByte('\n')
	case word == "tab", word == "cell":
		r.flush()
		r.out.WriteByte('\t')
	}
	return p
}
