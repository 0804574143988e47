package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..")

func load(t *testing.T) []*Document {
	t.Helper()
	list, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 5 {
		t.Fatalf("found %d documents: the walk is broken", len(list))
	}
	return list
}

// TestReadmeIsShort: README.md leads to the documents, it does not replace them.
func TestReadmeIsShort(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 150 {
		t.Errorf("README.md has %d lines, want at most 150", n)
	}
}

// TestExamples: a Go block whose first line names a file consists of lines of that
// file, in order. The file is an example that the tests run.
func TestExamples(t *testing.T) {
	name := regexp.MustCompile(`^// (\S+_test\.go)$`)
	files := make(map[string]bool)
	for _, d := range load(t) {
		for _, b := range d.Blocks {
			first, code, _ := strings.Cut(b.Text, "\n")
			m := name.FindStringSubmatch(first)
			if b.Language != "go" || m == nil {
				continue
			}
			files[m[1]] = true
			source, err := os.ReadFile(filepath.Join(root, m[1]))
			if err != nil {
				t.Errorf("%s:%d: %v", d.Path, b.Line, err)
				continue
			}
			rest := strings.Split(string(source), "\n")
			for line := range strings.Lines(code) {
				if line = strings.TrimSpace(line); line == "" || line == "..." {
					continue
				}
				at := 0
				for at < len(rest) && strings.TrimSpace(rest[at]) != line {
					at++
				}
				if at == len(rest) {
					t.Errorf("%s:%d: %q is not in %s, or not in this order", d.Path, b.Line, line, m[1])
					break
				}
				rest = rest[at+1:]
			}
		}
	}
	for _, library := range []string{"decrypt", "mirror", "certs"} {
		if !files[library+"/example_test.go"] {
			t.Errorf("no document shows the example of %s", library)
		}
	}
}

// TestLinks: files and headings that documents point to exist.
func TestLinks(t *testing.T) {
	list := load(t)
	known := make(map[string]*Document)
	for _, d := range list {
		known[d.Path] = d
	}
	links := 0
	for _, d := range list {
		for _, l := range d.Links {
			if strings.Contains(l.Target, ":") {
				continue // elsewhere
			}
			links++
			file, fragment, _ := strings.Cut(l.Target, "#")
			to := d.Path
			if file != "" {
				to = path.Join(path.Dir(d.Path), file)
				if _, err := os.Stat(filepath.Join(root, to)); err != nil {
					t.Errorf("%s:%d: there is no %s", d.Path, l.Line, to)
					continue
				}
			}
			if fragment != "" && (known[to] == nil || !known[to].Anchors[fragment]) {
				t.Errorf("%s:%d: %s has no heading #%s", d.Path, l.Line, to, fragment)
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links found", links)
	}
}

// TestMakeTargets: what documents tell to make can be made.
func TestMakeTargets(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(string(text), -1) {
		known[m[1]] = true
	}
	line := regexp.MustCompile(`(?m)^(?:\$ )?(?:nice )?make ([a-z0-9-]+)`)
	span := regexp.MustCompile("`make ([a-z0-9-]+)")
	for _, d := range load(t) {
		found := span.FindAllStringSubmatch(d.Text, -1)
		for _, b := range d.Blocks {
			found = append(found, line.FindAllStringSubmatch(b.Text, -1)...)
		}
		for _, m := range found {
			if !known[m[1]] {
				t.Errorf("%s: there is no target for make %s", d.Path, m[1])
			}
		}
	}
}

func TestParse(t *testing.T) {
	d := Parse("a/b.md", "# The `wire`: a cable\nSee [it](c.md#x) and `[no](link)`.\n## Limits\n## Limits\n```yaml\n# clearspan.yaml\n[not](a link)\n```\n![pic](p.svg)\n")
	if len(d.Blocks) != 1 || d.Blocks[0].Language != "yaml" || d.Blocks[0].Line != 5 || d.Blocks[0].Text != "# clearspan.yaml\n[not](a link)\n" {
		t.Errorf("blocks: %+v", d.Blocks)
	}
	if len(d.Links) != 2 || d.Links[0] != (Link{2, "c.md#x"}) || d.Links[1] != (Link{9, "p.svg"}) {
		t.Errorf("links: %+v", d.Links)
	}
	for _, a := range []string{"the-wire-a-cable", "limits", "limits-1"} {
		if !d.Anchors[a] {
			t.Errorf("no anchor %q in %v", a, d.Anchors)
		}
	}
}
