package reference

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Word is a fixed word of audit entries, metrics or logs, as its comment describes it.
type Word struct {
	Name    string // of the constant, "" for an item of a list
	Text    string
	Meaning string
	Cause   string // may be empty
	Do      string // likewise
	Only    string // where the word occurs, if not everywhere
}

// word makes a Word of a constant and its comment.
func word(t *testing.T, s *Source, name, text, doc string) Word {
	t.Helper()
	parts := parted(doc, "Cause:", "Do:", "Only:")
	w := Word{name, text, parts[""], parts["Cause:"], parts["Do:"], parts["Only:"]}
	if w.Meaning == "" || !strings.HasSuffix(w.Meaning, ".") {
		t.Errorf("%s: the word %q has no comment that is a sentence", s.Dir, text)
	}
	if (w.Cause == "") != (w.Do == "") {
		t.Errorf("%s: the comment on %q has one of Cause and Do only", s.Dir, text)
	}
	return w
}

// strings returns the string constants of the package by name.
func (s *Source) strings() map[string]string {
	all := make(map[string]string)
	for _, d := range s.specs(token.CONST) {
		spec := d.spec.(*ast.ValueSpec)
		for i, name := range spec.Names {
			if i < len(spec.Values) {
				if text, ok := literal(spec.Values[i]); ok {
					all[name.Name] = text
				}
			}
		}
	}
	return all
}

// literal returns the value of a string literal.
func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// Constants returns the string constants whose names match, in the order of the source.
func (s *Source) Constants(t *testing.T, pattern string) []Word {
	t.Helper()
	match := regexp.MustCompile(`^(` + pattern + `)$`)
	return s.constants(t, func(spec *ast.ValueSpec) bool { return match.MatchString(spec.Names[0].Name) })
}

// ConstantsOf returns the string constants of a type, in the order of the source.
func (s *Source) ConstantsOf(t *testing.T, typ string) []Word {
	t.Helper()
	return s.constants(t, func(spec *ast.ValueSpec) bool {
		id, ok := spec.Type.(*ast.Ident)
		return ok && id.Name == typ
	})
}

func (s *Source) constants(t *testing.T, which func(*ast.ValueSpec) bool) (words []Word) {
	t.Helper()
	for _, d := range s.specs(token.CONST) {
		spec := d.spec.(*ast.ValueSpec)
		if len(spec.Values) != 1 || !which(spec) {
			continue
		}
		if text, ok := literal(spec.Values[0]); ok {
			name := spec.Names[0].Name
			words = append(words, word(t, s, name, text, d.doc(name)))
		}
	}
	if len(words) == 0 {
		t.Errorf("%s has none of the constants", s.Dir)
	}
	return words
}

// Enumeration returns the constants of a type that counts from 0. The list of names
// has their words; an empty word is left out.
func (s *Source) Enumeration(t *testing.T, typ, names string) (words []Word) {
	t.Helper()
	texts := s.items(t, names)
	for _, d := range s.specs(token.CONST) {
		first, ok := d.group.Specs[0].(*ast.ValueSpec).Type.(*ast.Ident)
		if !ok || first.Name != typ || d.index >= len(texts) {
			continue
		}
		spec := d.spec.(*ast.ValueSpec)
		if text := texts[d.index].text; text != "" {
			words = append(words, word(t, s, spec.Names[0].Name, text, d.doc(spec.Names[0].Name)))
		}
	}
	if len(words) == 0 {
		t.Errorf("%s has no constants of type %s", s.Dir, typ)
	}
	return words
}

// List returns the words of a list, or the values of a map, each with a comment above
// or behind it.
func (s *Source) List(t *testing.T, name string) (words []Word) {
	t.Helper()
	for _, it := range s.items(t, name) {
		words = append(words, word(t, s, "", it.text, it.doc))
	}
	return words
}

type item struct{ text, doc string }

// items returns the elements of the variable of that name.
func (s *Source) items(t *testing.T, name string) (list []item) {
	t.Helper()
	constants := s.strings()
	for _, f := range s.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Names[0].Name != name || len(spec.Values) != 1 {
				return true
			}
			values, ok := spec.Values[0].(*ast.CompositeLit)
			if !ok {
				return true
			}
			for _, e := range values.Elts {
				value := e
				if pair, ok := e.(*ast.KeyValueExpr); ok {
					value = pair.Value
				}
				text, ok := literal(value)
				if id, isName := value.(*ast.Ident); isName {
					text, ok = constants[id.Name]
				}
				if !ok {
					t.Errorf("%s: an element of %s is no text", s.Dir, name)
				}
				list = append(list, item{text, s.beside(f, e)})
			}
			return false
		})
	}
	if len(list) == 0 {
		t.Fatalf("%s has no list %s", s.Dir, name)
	}
	return list
}

// beside returns the comment behind an expression on its line, or on the lines above.
func (s *Source) beside(f *ast.File, e ast.Expr) string {
	line := s.Set.Position(e.End()).Line
	first := s.Set.Position(e.Pos()).Line
	above := ""
	for _, g := range f.Comments {
		switch {
		case g.Pos() > e.End() && s.Set.Position(g.Pos()).Line == line:
			return comment("", g)
		case s.Set.Position(g.End()).Line == first-1:
			above = comment("", g)
		}
	}
	return above
}

// Numbers returns the constants whose names match and whose values are numbers.
func (s *Source) Numbers(t *testing.T, pattern string) (words []Word) {
	t.Helper()
	match := regexp.MustCompile(`^(` + pattern + `)$`)
	for _, d := range s.specs(token.CONST) {
		spec := d.spec.(*ast.ValueSpec)
		name := spec.Names[0].Name
		if !match.MatchString(name) || len(spec.Values) != 1 {
			continue
		}
		if l, ok := spec.Values[0].(*ast.BasicLit); ok && l.Kind == token.INT {
			words = append(words, word(t, s, name, l.Value, d.doc(name)))
		}
	}
	return words
}
