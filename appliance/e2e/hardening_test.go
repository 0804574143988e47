package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/scenetest"
)

// tasks returns the lines of /proc/PID/task/*/status that begin with one of the
// words, each with its count.
func tasks(t testing.TB, pid int, words ...string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d threads, %v", len(files), err)
	}
	lines := make(map[string]int)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			for _, word := range words {
				if strings.HasPrefix(line, word+":") {
					lines[strings.Join(strings.Fields(line), " ")]++
				}
			}
		}
	}
	return lines
}

// Capabilities as /proc shows them.
const (
	noCapabilities = "0000000000000000"
	ofTProxy       = "0000000000003400" // net_bind_service net_admin net_raw
)

// TestPrivilegesDropped looks at every thread of an appliance, before and after a
// reload under traffic.
func TestPrivilegesDropped(t *testing.T) {
	const change = "{default: bump}"
	c := newScene(t, settings{Policy: change})
	web := c.Nginx()
	page := c.Page(web, "page.bin", 10_000)
	check := func(when string) {
		t.Helper()
		for line := range tasks(t, c.Appliance.Worker(), "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid") {
			switch line {
			case "CapInh: " + noCapabilities, "CapAmb: " + noCapabilities, "CapPrm: " + ofTProxy, "CapEff: " + ofTProxy, "CapBnd: " + ofTProxy, "NoNewPrivs: 1", "Seccomp: 2":
			default:
				if who, ok := strings.CutPrefix(line, "Uid: "); ok && !strings.Contains(" "+who+" ", " 0 ") {
					continue
				}
				t.Errorf("%s, a thread has %s", when, line)
			}
		}
	}
	check("after the start")
	fetch := func() {
		t.Helper()
		scenetest.Same(t, "page", c.Fetch("--http1.1", "https://"+webName+"/page.bin").Content, page)
	}
	fetch()
	c.reconfigure(change, "{default: bump, rules: [{name: a, host: a.test, action: tunnel}]}", "reloaded")
	fetch()
	check("after a reload")
	c.Stop()
}
