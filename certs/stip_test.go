package certs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that STIP.md names exists.
func TestSTIPTable(t *testing.T) {
	table, err := os.ReadFile("STIP.md")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	err = filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		sources.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\b(Test|Fuzz)[A-Z][A-Za-z]*`).FindAllString(string(table), -1)
	for _, name := range names {
		if !strings.Contains(sources.String(), "\nfunc "+name+"(") {
			t.Errorf("STIP.md names %s, which does not exist", name)
		}
	}
	if len(names) < 50 {
		t.Errorf("only %d tests named", len(names))
	}
}
