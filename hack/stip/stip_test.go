// Package stip holds certs/STIP.md to the truth: the tests that its table names
// exist in the packages where it says they are.
package stip

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// testName is a test or fuzz target, as the table writes it.
var testName = regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`)

// row is a line of the table.
type row struct {
	line        int
	requirement string
	how         string // "no: ...", "in part: ...", or how it is met
	tests       string
}

func rows(t *testing.T) (list []row) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "certs", "STIP.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| requirement |") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
		if len(cells) != 3 {
			t.Errorf("line %d has %d cells, want 3", i+1, len(cells))
			continue
		}
		list = append(list, row{i + 1, strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])})
	}
	return list
}

// folder is where the table's word for a package leads.
func folder(word string) string {
	if word == "e2e" {
		return "appliance/e2e"
	}
	return word
}

// named returns the tests of a cell as FOLDER/NAME: "TestA; decrypt, e2e: TestB" is
// certs/TestA, decrypt/TestB and appliance/e2e/TestB.
func named(t *testing.T, r row) (list []string) {
	t.Helper()
	if r.tests == "" {
		return nil
	}
	for part := range strings.SplitSeq(r.tests, ";") {
		folders := []string{"certs"}
		names := part
		if before, after, ok := strings.Cut(part, ":"); ok {
			folders, names = strings.Split(before, ","), after
		}
		for name := range strings.SplitSeq(names, ",") {
			name = strings.TrimSpace(name)
			if !testName.MatchString(name) {
				t.Errorf("line %d: %q is no test", r.line, name)
			}
			for _, f := range folders {
				list = append(list, folder(strings.TrimSpace(f))+"/"+name)
			}
		}
	}
	return list
}

// tests returns the test functions of a folder, whatever build they are for.
func tests(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("no tests in %s: %v", folder, err)
	}
	found := make(map[string]bool)
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}

// TestTable: each row that claims something names the tests that hold it, and all
// of those exist.
func TestTable(t *testing.T) {
	known := make(map[string]map[string]bool)
	claims, seen := 0, make(map[string]bool)
	for _, r := range rows(t) {
		if seen[r.requirement] {
			t.Errorf("line %d: %q stands there twice", r.line, r.requirement)
		}
		seen[r.requirement] = true
		list := named(t, r)
		claims += len(list)
		if len(list) == 0 && !strings.HasPrefix(r.how, "no: ") && !strings.HasPrefix(r.how, "in part: ") && !strings.HasPrefix(r.how, "nothing to test: ") {
			t.Errorf("line %d: %q is met, and no test says so", r.line, r.requirement)
		}
		for _, of := range list {
			dir, name := filepath.Split(of)
			dir = filepath.Clean(dir)
			if known[dir] == nil {
				known[dir] = tests(t, dir)
			}
			if !known[dir][name] {
				t.Errorf("line %d: there is no %s in %s", r.line, name, dir)
			}
		}
	}
	if len(seen) < 45 || claims < 80 {
		t.Errorf("only %d rows with %d tests read", len(seen), claims)
	}
}
