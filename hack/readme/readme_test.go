// Package readme holds README.md to what it says.
package readme

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var root = filepath.Join("..", "..")

var goBlock = regexp.MustCompile("(?s)```go\n// (\\S+)\n(.*?)```")

// TestExamples: every Go block names a file with an Example that compiles and
// runs in the tests, and each of its lines stands there.
func TestExamples(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllSubmatch(readme, -1)
	if len(blocks) != 3 || bytes.Count(readme, []byte("```go")) != 3 {
		t.Fatalf("found %d Go blocks that name their file, want one for each library", len(blocks))
	}
	for _, b := range blocks {
		file, code := string(b[1]), string(b[2])
		source, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Error(err)
			continue
		}
		lines := make(map[string]bool)
		for line := range strings.Lines(string(source)) {
			lines[strings.TrimSpace(line)] = true
		}
		for line := range strings.Lines(code) {
			if line = strings.TrimSpace(line); line != "" && line != "..." && !lines[line] {
				t.Errorf("README.md: %q is not in %s", line, file)
			}
		}
	}
}

// TestLinks: files that README.md points to exist.
func TestLinks(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllSubmatch(readme, -1)
	if len(links) < 5 {
		t.Fatalf("only %d links found", len(links))
	}
	for _, l := range links {
		if _, err := os.Stat(filepath.Join(root, string(l[1]))); err != nil {
			t.Errorf("README.md points to %s: %v", l[1], err)
		}
	}
}
