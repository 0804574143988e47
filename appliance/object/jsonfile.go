package object

import (
	"unicode/utf8"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// Named is implemented by a [Writer] that wants to know a name that came behind its octets.
// It is called before Close.
type Named interface{ Named(name, raw string) }

// jsonFile is a file that is under way, or waits for its name.
type jsonFile struct {
	d      *Description
	writer Writer
	how    Ending
}

// write takes octets of the file, from its base64.
func (f *jsonFile) write(p []byte) { f.writer.Write(p) }
func (f *jsonFile) hole(n uint64)  { f.writer.Hole(n) }
func (f *jsonFile) close(e Ending) { f.how = e }

// end ends a file, with the name that was found for it.
func (f *jsonFile) end(raw string) {
	if n, ok := f.writer.(Named); ok && raw != "" && f.d.Name == "" {
		if text := name.Base(raw); text != "" {
			n.Named(text, raw)
		}
	}
	f.writer.Close(f.how)
}

// wrapped is how many characters a line of base64 has at least.
const wrapped = 60

// isBase64 reports whether a text has octets of base64 only, and is no number.
func isBase64(text string) bool {
	letters := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '-' || c == '_' || sextets[c] != 0xff:
			letters = letters || c > '9'
		case c == '=':
		case c == ' ' && i >= wrapped: // a line end
		default:
			return false
		}
	}
	return letters
}

// unescaped returns what an escape stands for. Halves of a pair become a character that
// stands for none.
func unescaped(e []byte) []byte {
	switch e[1] {
	case 'n', 'r', 't', 'b', 'f':
		return []byte{' '}
	case 'u':
		r := rune(0)
		for _, c := range e[2:] {
			r = r<<4 | rune(name.HexDigit(c)&15)
		}
		return utf8.AppendRune(nil, r)
	}
	return e[1:2]
}

// stop ends all files. What is under way was cut.
func (j *jsonFiles) stop(e Ending) {
	j.over = true
	if j.base64 != nil {
		j.base64.close(max(e, Cut))
		j.keep()
	}
	for i := range j.stack {
		for _, f := range j.stack[i].files {
			f.end(j.stack[i].name)
		}
	}
	j.stack = nil
}
