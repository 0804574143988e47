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
		for {
			line, n, bare := cutLine(section)
			if len(line) == 0 {
				return
			}
			f := ParseField(line)
			f.Line = section[:n]
			if bare && f.Fault == Sound {
				f.Fault = BareLF
			}
			if !yield(f) {
				return
			}
			section = section[n:]
		}
	}
}

// ParseField reads one field line without its line end. Line of the result is nil.
func ParseField(line []byte) Field {
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		return Field{Value: Trim(line), Fault: Folded}
	}
	c := bytes.IndexByte(line, ':')
	if c < 0 {
		return Field{Value: Trim(line), Fault: worse(Plain(line), BadName)}
	}
	f := Field{Name: line[:c], Value: Trim(line[c+1:])}
	if !Token(f.Name) {
		f.Name, f.Fault = Trim(f.Name), worse(Plain(line), BadName)
		return f
	}
	f.Fault = Plain(f.Value)
	return f
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
