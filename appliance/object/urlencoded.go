package object

import "github.com/clearspan/clearspan/appliance/object/name"

// formFields reads a form whose fields are in one line (application/x-www-form-urlencoded,
// WHATWG URL, Section 5): it passes the fields on as the members of an object in JSON.
type formFields struct {
	next   *jsonFiles
	out    []byte
	escape []byte // a percent sign, and a digit
	begun  bool
	value  bool // behind the equals sign
}

func (f *formFields) write(p []byte) {
	out := f.out[:0]
	if !f.begun {
		f.begun = true
		out = append(out, `{"`...)
	}
	for _, c := range p {
		switch {
		case len(f.escape) == 2:
			out = quotedOctet(out, name.HexDigit(f.escape[1])<<4|name.HexDigit(c)&15)
			f.escape = f.escape[:0]
		case len(f.escape) == 1 || c == '%':
			f.escape = append(f.escape, c)
		case c == '&':
			out = f.between(out)
		case c == '=' && !f.value:
			out, f.value = append(out, `":"`...), true
		case c == '+':
			out = append(out, ' ')
		default:
			out = quotedOctet(out, c)
		}
	}
	f.out = out
	f.next.write(out)
}

// between ends a field and begins another one.
func (f *formFields) between(out []byte) []byte {
	if !f.value {
		out = append(out, `":"`...)
	}
	f.value = false
	return append(out, `","`...)
}

// quotedOctet appends an octet of a text in JSON.
func quotedOctet(out []byte, c byte) []byte {
	if c == '"' || c == '\\' {
		out = append(out, '\\')
	}
	return append(out, c)
}

func (f *formFields) hole(n uint64) {
	f.escape = f.escape[:0]
	f.next.hole(n)
}

func (f *formFields) close(e Ending) {
	if f.begun {
		f.next.write([]byte(`"}`))
	}
	f.next.close(e)
}
