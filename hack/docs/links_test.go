package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]+))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	marks   = regexp.MustCompile(`[^\p{L}\p{N}\- ]`)
)

// anchors returns the anchors of the headings of a page, as GitHub makes them.
func anchors(page string) map[string]bool {
	found := make(map[string]bool)
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		found[strings.ReplaceAll(marks.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return found
}

// TestLinks: links of the reference lead to files and headings that are there.
func TestLinks(t *testing.T) {
	dir := filepath.Join(Root(), folder)
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			to := file
			if m[1] != "" {
				to = filepath.Join(dir, m[1])
			}
			target, err := os.ReadFile(to)
			switch {
			case err != nil:
				t.Errorf("%s: link to %s: %v", filepath.Base(file), m[1], err)
			case m[2] != "" && !anchors(string(target))[m[2]]:
				t.Errorf("%s: %s has no heading #%s", filepath.Base(file), filepath.Base(to), m[2])
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d links found", links)
	}
}

// TestIndex: the index names every file of the reference, and every page is generated.
func TestIndex(t *testing.T) {
	dir := filepath.Join(Root(), folder)
	index, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "README.md" && !strings.Contains(string(index), "]("+e.Name()+")") {
			t.Errorf("README.md does not name %s", e.Name())
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), ".md") && e.Name() != "README.md" && !strings.Contains(string(text), "Generated from the code by make docs") {
			t.Errorf("%s is not generated", e.Name())
		}
	}
}

func TestSentences(t *testing.T) {
	long := strings.Repeat("word ", maxWords+1)
	for _, tt := range []struct {
		name, page string
		faults     int
	}{
		{"short", "# " + long + "\n\nOne. Two `a.b c`.\n", 0},
		{"paragraph", "A " + strings.ReplaceAll(long, " word", "\nword"), 1},
		{"list", "- " + long + "\n- short", 1},
		{"table", "| a | " + long + " |", 1},
		{"cell of short sentences", "| " + strings.Repeat("Two words. ", 21) + "|", 1},
		{"code", "```\n" + long + "\n```", 0},
		{"two sentences", strings.Repeat("word ", 20) + "end. " + strings.Repeat("word ", 20), 0},
	} {
		if got := faults(tt.page); len(got) != tt.faults {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
