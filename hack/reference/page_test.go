package reference

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
	if len(entries) < 8 {
		t.Errorf("only %d files", len(entries))
	}
	for _, e := range entries {
		if e.Name() == "README.md" {
			continue
		}
		if !strings.Contains(string(index), "]("+e.Name()+")") {
			t.Errorf("README.md does not name %s", e.Name())
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), ".md") && !strings.Contains(string(text), "Generated from the code by make docs") {
			t.Errorf("%s is not generated", e.Name())
		}
	}
}

func TestFaults(t *testing.T) {
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
		{"two sentences", strings.Repeat("word ", 20) + "end. " + strings.Repeat("Word ", 20), 0},
	} {
		if got := faults(tt.page); len(got) != tt.faults {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
