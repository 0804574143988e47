package http1

import (
	"bytes"
	"iter"
)

// Field is one field line. Its slices are parts of the field section.
type Field struct {
	Line  []byte // as it came, with its line end
	Name  []byte // without white space around; nil if there is none
	Value []byte // without white space around

	// Fault is why a strict reader refuses the line. A line that continues the one
	// before it is [Folded]: it has no name, and its text is Value.
	Fault Fault
}

// Fields yields the lines of a field section: what follows a start line, or
// trailers. It stops before the empty line that ends the section, or at a line that
// is not complete. It does not allocate.
func Fields(section []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		var f Field
		for n := f.next(section); n > 0 && yield(f); n = f.next(section) {
			section = section[n:]
		}
	}
}

// next reads the first line of a field section and returns its length, 0 at the end
// of the section.
func (f *Field) next(section []byte) (n int) {
	line, n, bare := cutLine(section)
	if len(line) == 0 {
		return 0
	}
	f.parse(line)
	f.Line = section[:n]
	if bare && f.Fault == Sound {
		f.Fault = BareLF
	}
	return n
}

// ParseField reads one field line without its line end. Line of the result is nil.
func ParseField(line []byte) (f Field) {
	f.parse(line)
	return f
}

// parse is ParseField, but for Line.
func (f *Field) parse(line []byte) {
	if n := tokenLen(line); n > 0 && n < len(line) && line[n] == ':' {
		f.Name, f.Value = line[:n], Trim(line[n+1:])
		f.Fault = Plain(f.Value)
		return
	}
	name, value, ok := bytes.Cut(line, []byte{':'})
	switch {
	case len(line) > 0 && (line[0] == ' ' || line[0] == '\t'):
		f.Name, f.Value, f.Fault = nil, Trim(line), Folded
	case !ok:
		f.Name, f.Value, f.Fault = nil, Trim(line), worse(Plain(line), BadName)
	default:
		f.Name, f.Value, f.Fault = Trim(name), Trim(value), worse(Plain(line), BadName)
	}
}

// worse returns the first of two faults that is one.
func worse(a, b Fault) Fault {
	if a != Sound {
		return a
	}
	return b
}

// Section returns the field section of a head: what follows its first line.
func Section(head []byte) []byte {
	_, n, _ := cutLine(head)
	return head[n:]
}

// Find returns the value of the first field of a section with a name in lower case,
// nil without one.
func Find(section []byte, name string) []byte {
	for f := range Fields(section) {
		if Is(f.Name, name) {
			return f.Value
		}
	}
	return nil
}
