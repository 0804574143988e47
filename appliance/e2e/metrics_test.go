package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestMetrics has sessions with every action and outcome, and compares the
// metrics with the audit trail.
func TestMetrics(t *testing.T) {
	c := newScene(t, settings{
		Intake: proxyAndGateway,
		Policy: `{default: bump, rules: [{name: evil, host: [evil.example.test], action: terminate},` +
			` {name: bank, port: [8443], action: tunnel}]}`,
		Mirror: `  - {name: live, kind: pcap-over-ip, listen: "127.0.0.1:57012"}`,
	})
	web := c.Nginx()
	page := c.Page(web, "page", 100_000)
	before := c.Metrics()
	scenetest.Same(t, "page by TLS", c.Fetch("https://"+webName+"/page").Content, page)
	scenetest.Same(t, "page without TLS", c.Fetch("http://"+webName+"/page").Content, page)
	r, err := lab.Curl(c.Ctx, c.Client, c.PKI.RootFile, append(lab.Resolve(webName, lab.OriginV4), "https://"+webName+":8443/page")...)
	if err != nil {
		t.Fatal(err)
	}
	scenetest.Same(t, "page through the tunnel", []byte(r.Stdout), page)
	c.refused(c.CA, append(lab.Resolve("evil.example.test", lab.OriginV4), "https://evil.example.test/")...)
	c.refused(c.CA, append(lab.Resolve(webName, lab.OriginV4), "https://"+webName+":4/")...)
	// What an explicit proxy must not do: reach the appliance itself.
	c.refused(c.CA, "--proxy", "http://"+lab.BoxLANV4+":8080", "--proxytunnel", "http://"+adminAddr+"/metrics")
	c.countsMeanwhile()
	c.Quiet(before)
	m := c.Metrics()
	c.Stop()

	want := map[string]float64{`clearspan_intake_refusals_total{intake="proxy",reason="forbidden"}`: 1}
	for _, e := range c.Entries() {
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
			strings.HasPrefix(name, "clearspan_mirror_") && strings.Contains(name, "_total{") || strings.HasPrefix(name, "clearspan_intake_refusals")) {
			t.Errorf("%s is %v, the audit trail has none", name, m[name])
		}
	}
	for name, n := range map[string]float64{
		`clearspan_sessions_total{action="bump",outcome="bumped"}`:             2,
		`clearspan_sessions_total{action="bump",outcome="plain"}`:              1,
		`clearspan_sessions_total{action="bump",outcome="failed"}`:             2, // one of them a loop
		`clearspan_sessions_total{action="tunnel",outcome="tunneled"}`:         1,
		`clearspan_sessions_total{action="terminate",outcome="terminated"}`:    1,
		`clearspan_forged_leaves_total`:                                        1,
		`clearspan_handshake_duration_seconds_count{leg="client",result="ok"}`: 2,
		`clearspan_handshake_duration_seconds_count{leg="origin",result="ok"}`: 2,
		`clearspan_sessions_open{intake="gateway"}`:                            0,
		`clearspan_mirror_lost_octets_total{reason="no-reader",sink="live"}`:   want[`clearspan_mirror_octets_total{sink="recorder"}`],
		`clearspan_mirror_octets_total{sink="files"}`:                          want[`clearspan_mirror_octets_total{sink="recorder"}`],
	} {
		if got, ok := m[name]; !ok || got != n {
			t.Errorf("%s is %v (%t), want %v", name, got, ok, n)
		}
	}
}

// countsMeanwhile looks at the metrics while a session is open.
func (c *scene) countsMeanwhile() {
	c.Helper()
	names := []string{
		`clearspan_relayed_octets_total{direction="client_to_origin"}`,
		`clearspan_relayed_octets_total{direction="origin_to_client"}`,
		`clearspan_mirror_lost_octets_total{reason="no-reader",sink="live"}`,
		`clearspan_mirror_octets_total{sink="recorder"}`,
		`clearspan_mirror_frames_total{sink="recorder"}`,
	}
	const relayed = 4 * 16 << 10 // each way
	session, before := c.Chat(firstPort), c.Metrics()
	session.Exchange(4)
	after := c.Metrics()
	for i, least := range []float64{relayed, relayed, 2 * relayed, 2 * relayed, 8} {
		if n := after[names[i]] - before[names[i]]; n < least {
			c.Errorf("%s: %v count while the session is open, want %v", names[i], n, least)
		}
	}
	session.End()
}
