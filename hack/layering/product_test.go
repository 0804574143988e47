package layering

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// product is the folder of the program that operators install.
const product = "appliance/cmd/clearspan"

// TestProductHoldsNoLab: the product is made of no package of hack or bench, and
// names none of the programs that the lab alone runs.
func TestProductHoldsNoLab(t *testing.T) {
	made := closure(t, product)
	if len(made) < 20 {
		t.Fatalf("%s is made of %d packages: the search is broken", product, len(made))
	}
	for dir, importer := range made {
		if below(dir, "hack") || below(dir, "bench") {
			t.Errorf("%s holds %s: %s imports it", product, dir, importer)
		}
		for _, f := range sources(t, dir) {
			checkTexts(t, dir, f)
		}
	}
}

// TestClosure: the search finds what is imported by a package that is imported.
func TestClosure(t *testing.T) {
	made := closure(t, "hack/cmd/demo")
	for dir, importer := range map[string]string{"hack/demo": "hack/cmd/demo", "hack/lab": "hack/demo", "hack/netlab": ""} {
		if got, ok := made[dir]; !ok || importer != "" && got != importer {
			t.Errorf("%s: imported by %q, want %q", dir, got, importer)
		}
	}
}

// closure returns the folders of the packages of this module that the package in a
// folder is made of, each with a folder that imports it. Files for all platforms and
// build tags count. The files are read here, not by the go command, so that the
// result of an earlier run is not shown for other files.
func closure(t *testing.T, from string) map[string]string {
	t.Helper()
	made := map[string]string{from: ""}
	for open := []string{from}; len(open) > 0; open = open[1:] {
		for _, f := range sources(t, open[0]) {
			for _, spec := range f.Imports {
				imported, _ := strconv.Unquote(spec.Path.Value)
				dir, ours := strings.CutPrefix(imported, module+"/")
				if _, known := made[dir]; ours && !known {
					made[dir] = open[0]
					open = append(open, dir)
				}
			}
		}
	}
	return made
}

// sources parses the files of the package in a folder, without tests.
func sources(t *testing.T, dir string) (list []*ast.File) {
	t.Helper()
	folder := filepath.Join("..", "..", filepath.FromSlash(dir))
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || !isSource(e.Name()) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, e.Name()), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

// labOnly matches programs that the lab runs and the product does not know.
var labOnly = regexp.MustCompile(`(?i)exim|c-icap|clamav`)

// checkTexts looks for them in the literals of a file, and in files embedded there.
func checkTexts(t *testing.T, dir string, f *ast.File) {
	t.Helper()
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && labOnly.MatchString(l.Value) {
			t.Errorf("%s: the literal %s is in the product", dir, l.Value)
		}
		return true
	})
	for _, group := range f.Comments {
		for _, c := range group.List {
			patterns, ok := strings.CutPrefix(c.Text, "//go:embed ")
			if !ok {
				continue
			}
			for _, pattern := range strings.Fields(patterns) {
				checkEmbedded(t, filepath.Join("..", "..", dir, pattern))
			}
		}
	}
}

func checkEmbedded(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s is embedded, and there are %d such files (%v)", pattern, len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := labOnly.Find(text); found != nil {
			t.Errorf("%s is embedded in the product, and names %s", file, found)
		}
	}
}
