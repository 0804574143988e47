package reference

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Source is the parsed source of one package, without its tests.
type Source struct {
	Dir   string // from the root of the repository, with slashes
	Set   *token.FileSet
	Files []*ast.File // in the order of their names
}

// Parse reads the package in a folder of the repository, whatever build its files are
// for.
func Parse(t *testing.T, dir string) *Source {
	t.Helper()
	s := &Source{Dir: dir, Set: token.NewFileSet()}
	names, err := filepath.Glob(filepath.Join(Root(), dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(s.Set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s.Files = append(s.Files, f)
	}
	return s
}

// Types returns the type declarations of the package by name.
func (s *Source) Types() map[string]*ast.TypeSpec {
	types := make(map[string]*ast.TypeSpec)
	for _, d := range s.specs(token.TYPE) {
		spec := d.spec.(*ast.TypeSpec)
		types[spec.Name.Name] = spec
	}
	return types
}

// doc returns the comment above a specification, or behind it.
func (d declared) doc(name string) string {
	spec := d.spec.(*ast.ValueSpec)
	if !d.group.Lparen.IsValid() {
		return comment(name, d.group.Doc, spec.Comment)
	}
	return comment(name, spec.Doc, spec.Comment)
}

// declared is one specification of a declaration.
type declared struct {
	group *ast.GenDecl
	spec  ast.Spec
	index int // within the group
}

func (s *Source) specs(tok token.Token) (list []declared) {
	for _, f := range s.Files {
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == tok {
				for i, spec := range g.Specs {
					list = append(list, declared{g, spec, i})
				}
			}
		}
	}
	return list
}

// comment returns the text of the first comment that is there, on one line, without
// "Name: " or "Name " in front.
func comment(name string, groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
			rest, cut := strings.CutPrefix(text, name+": ")
			if cut && name != "" {
				text = rest
				if !strings.HasPrefix(rest, "clearspan ") { // which has no capital
					text = strings.ToUpper(rest[:1]) + rest[1:]
				}
			}
			return text
		}
	}
	return ""
}

// parted splits a comment at labels such as "Cause:", which begin a sentence. The part
// in front of the first label is under "".
func parted(text string, labels ...string) map[string]string {
	parts := make(map[string]string)
	label := ""
	var words []string
	flush := func() {
		if len(words) > 0 {
			parts[label] = strings.Join(words, " ")
		}
		words = nil
	}
	for word := range strings.FieldsSeq(text) {
		if slices.Contains(labels, word) {
			flush()
			label = word
			continue
		}
		words = append(words, word)
	}
	flush()
	return parts
}
