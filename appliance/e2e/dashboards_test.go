package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestDashboards: a box with a part of each kind has every metric that an alert rule or a
// dashboard names, before the first session. One part is away: the metrics say so.
func TestDashboards(t *testing.T) {
	name := fmt.Sprintf("e2e-%d-%d", os.Getpid(), wires.Add(1))
	c := newScene(t, settings{
		Network: lab.NewInline,
		Intake:  fmt.Sprintf(`{name: %s, mode: wire, legs: [%s, %s], takeover: accept, stall: 5s}`, name, lab.LANInterface, lab.WANInterface),
		Mirror:  `  - {name: live, kind: pcap-over-ip, listen: "127.0.0.1:57012"}`,
		Audit:   `outputs: [{name: siem, to: siem.jsonl}]`,
		More:    `services: [{name: av, kind: icap, url: "icap://127.0.0.1:9/avscan", timeout: 1s, on_failure: closed}]`,
		Finish:  prepared(func(c *scene) { c.Clearspan("wire", "remove", name); c.upAgain() }),
	})
	var m map[string]float64
	scenetest.Eventually(t, "the service is found to be away", func() bool {
		m = c.Metrics()
		return m[`clearspan_service_up{service="av"}`] == 0
	})
	for series, want := range map[string]float64{
		"clearspan_ready": 1, fmt.Sprintf("clearspan_wire_taking{intake=%q}", name): 1,
		`clearspan_mirror_up{sink="recorder"}`: 1, `clearspan_feed_readers{sink="live"}`: 0, "clearspan_config_last_reload_success": 1,
		`clearspan_part_up{name="av",part="service"}`: 0, `clearspan_part_up{name="trusted",part="authority"}`: 1, "clearspan_workers": 1,
	} {
		if got, ok := m[series]; !ok || got != want {
			t.Errorf("%s is %v (%t), want %v", series, got, ok, want)
		}
	}
	served := map[string]bool{"up": true, "ALERTS": true}
	for series := range m {
		family, _, _ := strings.Cut(series, "{")
		served[family] = true
	}
	files, err := filepath.Glob("../deploy/*/*.[jy]*")
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, file := range files {
		if base := filepath.Base(filepath.Dir(file)); base != "prometheus" && base != "grafana" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range regexp.MustCompile(`\b(clearspan|process)_[a-z0-9_]+`).FindAllString(string(text), -1) {
			names++
			if !served[metric] {
				t.Errorf("%s names %s, which the box does not serve", file, metric)
			}
		}
	}
	if names < 100 {
		t.Errorf("only %d names in %d files", names, len(files))
	}
	c.Stop()
}
