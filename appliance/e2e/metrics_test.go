package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

const adminAddr = "127.0.0.1:8090"

// metrics reads all metrics of the appliance, by name and labels.
func (c *scene) metrics() map[string]float64 {
	c.Helper()
	client := http.Client{
		Transport: &http.Transport{DialContext: c.Box.DialContext, DisableKeepAlives: true},
		Timeout:   10 * time.Second,
	}
	r, err := client.Get("http://" + adminAddr + "/metrics")
	if err != nil {
		c.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		c.Fatalf("read metrics: %s, %v", r.Status, err)
	}
	m := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if m[line[:max(at, 0)]], err = strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64); err != nil {
			c.Fatalf("metric %q: %v", line, err)
		}
	}
	return m
}

// opened sums up the sessions that are open, over all intakes.
func opened(m map[string]float64) (n float64) {
	for name, value := range m {
		if strings.HasPrefix(name, "clearspan_sessions_open") {
			n += value
		}
	}
	return n
}

// quiet waits until no session is open and the appliance has no more goroutines
// and descriptors than before, apart from the files that captures go to and a
// worker or two of the Go runtime.
func (c *scene) quiet(before map[string]float64) {
	c.Helper()
	const spare = 4
	var m map[string]float64
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		m = c.metrics()
		if opened(m) == 0 && m["go_goroutines"] <= before["go_goroutines"]+spare &&
			m["process_open_fds"] <= before["process_open_fds"]+spare {
			return
		}
	}
	c.Errorf("left in the appliance: %v sessions, %v goroutines (%v before), %v descriptors (%v before)",
		opened(m), m["go_goroutines"], before["go_goroutines"], m["process_open_fds"], before["process_open_fds"])
}

// TestMetrics has sessions with every action and outcome, and compares the
// metrics with the audit trail.
func TestMetrics(t *testing.T) {
	c := newScene(t, settings{
		intake: proxyAndGateway,
		policy: `{default: bump, rules: [{name: evil, host: [evil.example.test], action: terminate},` +
			` {name: bank, port: [8443], action: tunnel}]}`,
		mirror: `  - {name: live, kind: pcap-over-ip, listen: "127.0.0.1:57012"}`,
	})
	web := c.nginx()
	page := c.page(web, "page", 100_000)
	before := c.metrics()
	same(t, "page by TLS", c.fetch("https://"+webName+"/page").content, page)
	same(t, "page without TLS", c.fetch("http://"+webName+"/page").content, page)
	r, err := lab.Curl(c.ctx, c.Client, c.pki.RootFile, append(lab.Resolve(webName, lab.OriginV4), "https://"+webName+":8443/page")...)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "page through the tunnel", []byte(r.Stdout), page)
	c.refused(c.ca, append(lab.Resolve("evil.example.test", lab.OriginV4), "https://evil.example.test/")...)
	c.refused(c.ca, append(lab.Resolve(webName, lab.OriginV4), "https://"+webName+":4/")...)
	// What an explicit proxy must not do: reach the appliance itself.
	c.refused(c.ca, "--proxy", "http://"+lab.BoxLANV4+":8080", "--proxytunnel", "http://"+adminAddr+"/metrics")
	c.quiet(before)
	m := c.metrics()
	c.stop()

	want := map[string]float64{`clearspan_intake_refusals_total{intake="proxy",reason="forbidden"}`: 1}
	for _, e := range c.entries() {
		action := e.Action
		if action == "" {
			action = "none"
		}
		want[fmt.Sprintf(`clearspan_sessions_total{action=%q,outcome=%q}`, action, e.Outcome)]++
		for direction, n := range e.Octets {
			want[fmt.Sprintf(`clearspan_relayed_octets_total{direction=%q}`, direction)] += float64(n)
		}
		if e.TLSOrigin != nil && e.TLSOrigin.Verdict != "" {
			want[fmt.Sprintf(`clearspan_origin_verdicts_total{reason=%q}`, e.TLSOrigin.Verdict)]++
		}
		if e.TLSOrigin != nil && e.TLSOrigin.Revocation != "" {
			want[fmt.Sprintf(`clearspan_origin_revocation_checks_total{status=%q}`, e.TLSOrigin.Revocation)]++
		}
		for sink, n := range e.Mirror {
			want[fmt.Sprintf(`clearspan_mirror_frames_total{sink=%q}`, sink)] += float64(n.Frames)
			want[fmt.Sprintf(`clearspan_mirror_octets_total{sink=%q}`, sink)] += float64(n.Octets)
			if n.Lost > 0 {
				want[fmt.Sprintf(`clearspan_mirror_lost_octets_total{reason=%q,sink=%q}`, n.Reason, sink)] += float64(n.Lost)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if m[name] != want[name] {
			t.Errorf("%s is %v, want %v", name, m[name], want[name])
		}
	}
	// The metrics have no more than the entries, and these are what was done.
	for name := range m {
		if _, ok := want[name]; !ok && m[name] != 0 && (strings.HasPrefix(name, "clearspan_sessions_total") ||
			strings.HasPrefix(name, "clearspan_mirror_") || strings.HasPrefix(name, "clearspan_intake_refusals")) {
			t.Errorf("%s is %v, the audit trail has none", name, m[name])
		}
	}
	for name, n := range map[string]float64{
		`clearspan_sessions_total{action="bump",outcome="bumped"}`:             1,
		`clearspan_sessions_total{action="bump",outcome="plain"}`:              1,
		`clearspan_sessions_total{action="bump",outcome="failed"}`:             1,
		`clearspan_sessions_total{action="tunnel",outcome="tunneled"}`:         1,
		`clearspan_sessions_total{action="terminate",outcome="terminated"}`:    1,
		`clearspan_forged_leaves_total`:                                        1,
		`clearspan_handshake_duration_seconds_count{leg="client",result="ok"}`: 1,
		`clearspan_handshake_duration_seconds_count{leg="origin",result="ok"}`: 1,
		`clearspan_sessions_open{intake="gateway"}`:                            0,
		`clearspan_mirror_lost_octets_total{reason="no-reader",sink="live"}`:   want[`clearspan_mirror_octets_total{sink="recorder"}`],
		`clearspan_mirror_octets_total{sink="files"}`:                          want[`clearspan_mirror_octets_total{sink="recorder"}`],
	} {
		if got, ok := m[name]; !ok || got != n {
			t.Errorf("%s is %v (%t), want %v", name, got, ok, n)
		}
	}
}
