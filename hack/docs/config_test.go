package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/rules"
)

// What files that examples name must hold to be read; others are empty.
var contents = map[string]string{"finance.txt": "credit.test\n", "block.html": "<p>{{.Explanation}}</p>\n"}

var (
	named     = regexp.MustCompile(`[\w-]+\.(?:crt|key|pem|p12|txt|html|crl)\b`)
	whole     = regexp.MustCompile(`^# (?:\S*/)?clearspan\.yaml$`)
	part      = regexp.MustCompile(`^# (?:\S*/)?clearspan\.yaml \(part\)$`)
	elsewhere = regexp.MustCompile(`^(%YAML|# \S+\.ya?ml$)`)
)

// TestConfigurations reads each example of a configuration as the program does. One
// that begins with the comment "# clearspan.yaml", or with one that names a path that
// ends so, is whole. Others are parts and get an intake if they have none, but for those
// of other programs, which begin with "%YAML" or the name of their file.
func TestConfigurations(t *testing.T) {
	dir := t.TempDir()
	found := 0
	for _, d := range load(t) {
		for _, b := range d.Blocks {
			first, _, _ := strings.Cut(b.Text, "\n")
			ours := whole.MatchString(first) || part.MatchString(first)
			if ours && b.Language != "yaml" {
				t.Errorf("%s:%d: a configuration in a block of language %q, want yaml", d.Path, b.Line, b.Language)
			}
			if b.Language != "yaml" || elsewhere.MatchString(first) && !ours {
				continue
			}
			found++
			text := b.Text
			if !whole.MatchString(first) && !strings.Contains("\n"+text, "\nintake:") {
				text += "intake:\n  - {name: proxy, mode: explicit, listen: 127.0.0.1:8080}\n"
			}
			for _, f := range named.FindAllString(text, -1) {
				if err := os.WriteFile(filepath.Join(dir, f), []byte(contents[f]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c, err := config.Parse(d.Path, []byte(text), dir)
			if err == nil {
				_, err = rules.Table(c)
			}
			if err == nil {
				_, err = blockpage.Load(c.Block.Page)
			}
			if err != nil {
				t.Errorf("%s:%d: %v", d.Path, b.Line, err)
			}
		}
	}
	if found < 25 {
		t.Errorf("found %d examples of configurations: the search is broken", found)
	}
}

var metric = regexp.MustCompile(`\bclearspan_([a-z0-9]+_[a-z0-9_]*[a-z0-9])`)

// TestMetrics: metrics that documents name are there.
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
	for _, d := range load(t) {
		for _, m := range metric.FindAllStringSubmatch(d.Text, -1) {
			name := m[1]
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				name = strings.TrimSuffix(name, suffix)
			}
			if !strings.Contains(source.String(), `"`+name+`"`) {
				t.Errorf("%s names %s, which is no metric", d.Path, m[0])
			}
		}
	}
}
