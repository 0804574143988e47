package query

import "strings"

// Language is a set of fields that queries may ask for. It does not change.
type Language struct {
	fields []Field
	named  map[string]*Field // by name and alias
	bounds map[ID]Bound
}

// Bound says that a field stands for the bound of another one.
type Bound struct {
	Of ID
	By string // the operator
}

// NewLanguage returns a language of fields, whose numbers differ.
func NewLanguage(fields []Field, bounds map[ID]Bound) *Language {
	l := &Language{fields: fields, named: make(map[string]*Field), bounds: bounds}
	for i := range fields {
		f := &fields[i]
		l.named[f.Name] = f
		for _, a := range f.Aliases {
			l.named[a] = f
		}
	}
	return l
}

// Sessions is the language about sessions.
var Sessions = NewLanguage(Fields[:], map[ID]Bound{After: {Start, ">="}, Before: {Start, "<"}})

// Lookup returns the field of a name or alias, nil for none.
func (l *Language) Lookup(name string) *Field { return l.named[strings.ToLower(name)] }

// Fields returns the fields, in the order of help texts.
func (l *Language) Fields() []Field { return l.fields }

// near returns the names of fields that name was probably meant to be.
func (l *Language) near(name string) []string {
	names := make([]string, 0, len(l.fields))
	for i := range l.fields {
		names = append(names, l.fields[i].Name)
	}
	near := nearest(name, names)
	for i := range l.fields {
		for _, a := range l.fields[i].Aliases {
			if len(nearest(name, []string{a})) > 0 && len(near) < maxNear {
				near = append(near, a)
			}
		}
	}
	return near
}
