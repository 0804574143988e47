package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/deploy/man"
	"github.com/clearspan/clearspan/hack/needs"
)

// TestManualPages: each command and each key has its place, and formatters find nothing to
// warn of.
func TestManualPages(t *testing.T) {
	source := man.Source{Version: "v1.2.3", Date: time.Unix(1e9, 0)}
	page := man.Configuration(source)
	for _, k := range config.Keys() {
		if term := `.B "` + strings.ReplaceAll(k.Path, "-", `\-`) + "\"\n"; !strings.Contains(page.Text, term) {
			t.Errorf("%s has no entry for %s", page.File(), k.Path)
		}
	}
	dir := t.TempDir()
	root := newRoot()
	files := map[string]bool{}
	for _, p := range append(man.Commands(root, source), page) {
		files[p.File()] = true
		if err := os.WriteFile(filepath.Join(dir, p.File()), []byte(p.Text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range commandsOf(t) {
		if file := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"; !files[file] {
			t.Errorf("there is no %s", file)
		}
	}
	if _, err := exec.LookPath("mandoc"); err != nil {
		needs.Missing(t, err)
	}
	for file := range files {
		out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", filepath.Join(dir, file)).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
	}
	groff := exec.Command("man", "--warnings", "-l", filepath.Join(dir, page.File()))
	groff.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANROFFSEQ=", "MANWIDTH=80", "MANPAGER=cat")
	var text, warnings strings.Builder
	groff.Stdout, groff.Stderr = &text, &warnings
	if err := groff.Run(); err != nil || warnings.Len() > 0 {
		t.Errorf("man: %v\n%s", err, warnings.String())
	}
	if !strings.Contains(text.String(), "intake[].listen") {
		t.Errorf("man shows %d octets without intake[].listen", text.Len())
	}
}
