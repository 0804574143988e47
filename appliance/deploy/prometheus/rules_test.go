// Package prometheus_test checks the alert rules and dashboards with the parser of
// Prometheus.
package prometheus_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
)

// promtool runs that of Debian's prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(lab.Promtool); err != nil {
		needs.Missing(t, err)
	}
	if out, err := exec.Command(lab.Promtool, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %q: %v\n%s", args, err, out)
	}
}

func TestRules(t *testing.T) {
	promtool(t, "check", "rules", "clearspan.rules.yml")
	promtool(t, "test", "rules", "clearspan_test.yml")
}

// dashboard is the part of Grafana's JSON that is looked at.
type dashboard struct {
	UID, Title string
	Panels     []struct {
		Title, Description string
		GridPos            struct{ X, Y, W, H int }
		Targets            []struct{ Expr, RefID string }
	}
}

// TestDashboards: Prometheus reads every expression, and no panel lies over another.
func TestDashboards(t *testing.T) {
	files, err := filepath.Glob("../grafana/*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	// Each expression is a rule: promtool reads those.
	var rules strings.Builder
	rules.WriteString("groups:\n  - name: dashboards\n    rules:\n")
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d.UID+".json" != filepath.Base(file) || !strings.HasPrefix(d.Title, "clearspan / ") {
			t.Errorf("%s: uid %s, title %s", file, d.UID, d.Title)
		}
		taken := make(map[[2]int]string)
		for _, p := range d.Panels {
			if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
				t.Errorf("%s: panel %q lacks something", file, p.Title)
			}
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: %q lies over %q", file, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			for _, q := range p.Targets {
				n++
				expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", "box").Replace(q.Expr)
				fmt.Fprintf(&rules, "      - {record: 'panel:%d', expr: %s}\n", n, strconv.Quote(expr))
			}
		}
	}
	file := filepath.Join(t.TempDir(), "dashboards.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--lint=none", file)
}
