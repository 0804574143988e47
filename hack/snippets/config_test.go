package snippets

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/appliance/config"
)

// pages are those whose examples are held to what the program reads.
var pages = []string{
	"configure.md", "policy.md", "authority.md", "recorders.md", "services.md", "operate.md", "troubleshoot.md", "limits.md",
}

// files are those that examples name.
var files = map[string]string{
	"finance.txt": "credit.test\n", "block.html": "<p>{{.Explanation}}</p>\n", "private.crl": "", "ca.crt": "", "ca.key": "",
}

// elsewhere is the first line of a block of YAML that other programs read.
var elsewhere = regexp.MustCompile(`^(%YAML|# [a-z-]+\.yaml$)`)

// TestConfigurations reads each example of a configuration as the program does. A
// part of one gets an intake.
func TestConfigurations(t *testing.T) {
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	for _, page := range pages {
		for _, b := range Blocks(read(t, page)) {
			first, _, _ := strings.Cut(b.Text, "\n")
			if b.Language != "yaml" || elsewhere.MatchString(first) && first != "# clearspan.yaml" {
				continue
			}
			found++
			text := b.Text
			if first != "# clearspan.yaml" && !strings.Contains("\n"+text, "\nintake:") {
				text += "intake:\n  - {name: proxy, mode: explicit, listen: 127.0.0.1:8080}\n"
			}
			c, err := config.Parse(page, []byte(text), dir)
			if err == nil {
				_, err = appliance.NewPolicy(c)
			}
			if err == nil {
				_, err = blockpage.Load(c.Block.Page)
			}
			if err != nil {
				t.Errorf("%s:%d: %v", page, b.Line, err)
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d examples of configurations: the search is broken", found)
	}
}

var metric = regexp.MustCompile(`\bclearspan_([a-z0-9_]+[a-z0-9])`)

// TestMetrics: metrics that pages name are there.
func TestMetrics(t *testing.T) {
	var source strings.Builder
	for _, dir := range []string{"../../appliance", "../../appliance/admin"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	for _, page := range pages {
		for _, m := range metric.FindAllStringSubmatch(read(t, page), -1) {
			name := m[1]
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				name = strings.TrimSuffix(name, suffix)
			}
			if !strings.Contains(source.String(), `"`+name+`"`) {
				t.Errorf("%s names %s, which is no metric", page, m[0])
			}
		}
	}
}
