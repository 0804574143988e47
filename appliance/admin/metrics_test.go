package admin

import (
	"crypto/tls"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// setOctets sets the counters that only the engine can advance.
func setOctets(s *decrypt.Session, up, down uint64) {
	field := reflect.ValueOf(s).Elem().FieldByName("octets")
	octets := (*[2]atomic.Uint64)(unsafe.Pointer(field.UnsafeAddr()))
	octets[decrypt.ClientToOrigin].Store(up)
	octets[decrypt.OriginToClient].Store(down)
}

func TestMetricsOfSessions(t *testing.T) {
	m := NewMetrics("1.2.3")
	for range 4 {
		m.SessionOpened("proxy")
	}
	bumped := &decrypt.Session{
		Intake: "proxy", SNI: "secret.example.test", Outcome: decrypt.Bumped,
		Decision:  policy.Decision{Rule: "default", Action: policy.Bump},
		ClientTLS: decrypt.LegTLS{Version: tls.VersionTLS13, Resumed: true},
		OriginTLS: decrypt.LegTLS{Version: tls.VersionTLS12, Verdict: "ok", Revocation: "good"},
	}
	setOctets(bumped, 10, 2000)
	m.SessionEnded(bumped)
	m.SessionEnded(&decrypt.Session{
		Intake: "proxy", Outcome: decrypt.Terminated,
		Decision:  policy.Decision{Rule: "evil", Action: policy.Terminate},
		OriginTLS: decrypt.LegTLS{Verdict: "expired"},
	})
	m.SessionEnded(&decrypt.Session{Intake: "proxy", Protocol: "ldap", StartTLS: decrypt.StartTLSRefused})
	m.Handshake("client", 3*time.Millisecond, true)
	m.Handshake("origin", 3*time.Second, false)
	m.Mirrored("recorder", 7, 900)
	m.MirrorLost("recorder", "queue-full", 100)
	m.Transcoded("recorder", 3, 1200, 2, 0, "")
	m.Transcoded("recorder", 1, 300, 0, 55, "hpack")
	m.Refused("proxy", "limit")

	const want = `
# HELP clearspan_handshakes_total Finished TLS handshakes, full or resumed.
# TYPE clearspan_handshakes_total counter
clearspan_handshakes_total{kind="full",leg="client"} 0
clearspan_handshakes_total{kind="full",leg="origin"} 1
clearspan_handshakes_total{kind="resumed",leg="client"} 1
clearspan_handshakes_total{kind="resumed",leg="origin"} 0
# HELP clearspan_intake_refusals_total Connections that an intake did not hand on.
# TYPE clearspan_intake_refusals_total counter
clearspan_intake_refusals_total{intake="proxy",reason="limit"} 1
# HELP clearspan_mirror_frames_total Frames delivered to a sink.
# TYPE clearspan_mirror_frames_total counter
clearspan_mirror_frames_total{sink="recorder"} 7
# HELP clearspan_mirror_http2_raw_octets_total Octets of HTTP/2 that could not be shown as HTTP/1.1.
# TYPE clearspan_mirror_http2_raw_octets_total counter
clearspan_mirror_http2_raw_octets_total{reason="hpack",sink="recorder"} 55
# HELP clearspan_mirror_http2_rendered_octets_total Octets of payload delivered to a sink in place of HTTP/2.
# TYPE clearspan_mirror_http2_rendered_octets_total counter
clearspan_mirror_http2_rendered_octets_total{sink="recorder"} 1500
# HELP clearspan_mirror_http2_replaced_fields_total Fields of HTTP/2 that HTTP/1.1 could not hold as they were.
# TYPE clearspan_mirror_http2_replaced_fields_total counter
clearspan_mirror_http2_replaced_fields_total{sink="recorder"} 2
# HELP clearspan_mirror_http2_streams_total Streams of HTTP/2 shown as HTTP/1.1.
# TYPE clearspan_mirror_http2_streams_total counter
clearspan_mirror_http2_streams_total{sink="recorder"} 4
# HELP clearspan_mirror_lost_octets_total Octets of sessions that did not reach a sink.
# TYPE clearspan_mirror_lost_octets_total counter
clearspan_mirror_lost_octets_total{reason="queue-full",sink="recorder"} 100
# HELP clearspan_mirror_octets_total Octets of sessions delivered to a sink.
# TYPE clearspan_mirror_octets_total counter
clearspan_mirror_octets_total{sink="recorder"} 900
# HELP clearspan_origin_revocation_checks_total Judgements of origins by what was learned of revocation.
# TYPE clearspan_origin_revocation_checks_total counter
clearspan_origin_revocation_checks_total{status="good"} 1
# HELP clearspan_origin_verdicts_total Judgements of origins, ok or why they failed.
# TYPE clearspan_origin_verdicts_total counter
clearspan_origin_verdicts_total{reason="expired"} 1
clearspan_origin_verdicts_total{reason="ok"} 1
# HELP clearspan_relayed_octets_total Octets of application data relayed by sessions that have ended.
# TYPE clearspan_relayed_octets_total counter
clearspan_relayed_octets_total{direction="client_to_origin"} 10
clearspan_relayed_octets_total{direction="origin_to_client"} 2000
# HELP clearspan_sessions_open Sessions that are open.
# TYPE clearspan_sessions_open gauge
clearspan_sessions_open{intake="proxy"} 1
# HELP clearspan_sessions_total Sessions that have ended.
# TYPE clearspan_sessions_total counter
clearspan_sessions_total{action="bump",outcome="bumped"} 1
clearspan_sessions_total{action="none",outcome="failed"} 1
clearspan_sessions_total{action="terminate",outcome="terminated"} 1
# HELP clearspan_starttls_dialogues_total Plain dialogues in which TLS was offered or asked for, by what became of it.
# TYPE clearspan_starttls_dialogues_total counter
clearspan_starttls_dialogues_total{protocol="ldap",result="refused"} 1
`
	names := []string{
		"handshakes_total",
		"intake_refusals_total", "mirror_frames_total", "mirror_http2_raw_octets_total", "mirror_http2_rendered_octets_total",
		"mirror_http2_replaced_fields_total", "mirror_http2_streams_total", "mirror_lost_octets_total", "mirror_octets_total",
		"origin_revocation_checks_total", "origin_verdicts_total", "relayed_octets_total", "sessions_open", "sessions_total",
		"starttls_dialogues_total",
	}
	for i := range names {
		names[i] = namespace + "_" + names[i]
	}
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(m.registry, "clearspan_handshake_duration_seconds"); n != 2 || err != nil {
		t.Errorf("%d handshake histograms, error %v", n, err)
	}
}

func TestMetricNames(t *testing.T) {
	m := NewMetrics("1.2.3")
	m.SessionOpened("a")
	m.Handshake("client", 0, true)
	m.Mirrored("a", 1, 1)
	m.MirrorLost("a", "b", 1)
	m.Transcoded("a", 1, 1, 1, 1, "b")
	m.Refused("a", "b")
	m.SessionEnded(&decrypt.Session{OriginTLS: decrypt.LegTLS{Verdict: "ok", Revocation: "good"}})
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsReadAtScrape(t *testing.T) {
	m := NewMetrics("")
	var lost atomic.Uint64
	if err := m.Counter("audit_lost_entries_total", "Entries lost.", lost.Load); err != nil {
		t.Fatal(err)
	}
	if err := m.Gauge("leaf_cache_entries", "Leaves kept.", func() float64 { return 5 }); err != nil {
		t.Fatal(err)
	}
	lost.Store(42)
	for range 2 { // the forger may be replaced
		m.Forged(func() (forged, hits uint64) { return 7, 70 })
	}
	const want = `
# HELP clearspan_audit_lost_entries_total Entries lost.
# TYPE clearspan_audit_lost_entries_total counter
clearspan_audit_lost_entries_total 42
# HELP clearspan_forged_leaves_total Leaves forged.
# TYPE clearspan_forged_leaves_total counter
clearspan_forged_leaves_total 7
# HELP clearspan_leaf_cache_entries Leaves kept.
# TYPE clearspan_leaf_cache_entries gauge
clearspan_leaf_cache_entries 5
# HELP clearspan_leaf_cache_hits_total Leaves found in the cache.
# TYPE clearspan_leaf_cache_hits_total counter
clearspan_leaf_cache_hits_total 70
`
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want),
		"clearspan_audit_lost_entries_total", "clearspan_forged_leaves_total",
		"clearspan_leaf_cache_entries", "clearspan_leaf_cache_hits_total"); err != nil {
		t.Error(err)
	}
	if err := m.Gauge("forged_leaves_total", "Twice.", func() float64 { return 0 }); err == nil {
		t.Error("a name that is taken was accepted")
	}
	if err := m.Counter("", "None.", lost.Load); err == nil {
		t.Error("an empty name was accepted")
	}
}

// No input grows the number of time series without bound, or ends the process.
func TestLabelsAreBounded(t *testing.T) {
	m := NewMetrics("")
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 500 {
				m.Refused(fmt.Sprintf("%d-%d", w, i), "r")
				m.Refused("a", fmt.Sprintf("%d-%d", w, i))
				m.Transcoded("sink", 1, 1, 1, 1, fmt.Sprintf("%d-%d", w, i))
				m.MirrorLost("sink", fmt.Sprintf("%d-%d", w, i), 1)
			}
		})
	}
	wg.Wait()
	m.Refused("\xff", strings.Repeat("x", 1000))
	m.Handshake("leg\xff", time.Second, true)
	m.SessionEnded(&decrypt.Session{Intake: "\xfe", Outcome: 200, Decision: policy.Decision{Rule: "x", Action: 200}})
	for name, limit := range map[string]int{
		"intake_refusals_total": 2*maxWords + 4, "mirror_lost_octets_total": maxWords + 1, "mirror_http2_raw_octets_total": maxWords + 1, "handshake_duration_seconds": 1,
	} {
		if n, err := testutil.GatherAndCount(m.registry, namespace+"_"+name); n > limit || n == 0 || err != nil {
			t.Errorf("%s: %d series, want at most %d, error %v", name, n, limit, err)
		}
	}
}

func TestMetricsMonitored(t *testing.T) {
	m := NewMetrics("")
	m.SessionEnded(&decrypt.Session{Decision: policy.Decision{Rule: "r", Action: policy.Tunnel, Monitored: true, Would: policy.Bump}})
	const want = `
# HELP clearspan_policy_monitored_total Sessions of mode monitor, by the action that was not taken.
# TYPE clearspan_policy_monitored_total counter
clearspan_policy_monitored_total{would="bump"} 1
`
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), "clearspan_policy_monitored_total"); err != nil {
		t.Error(err)
	}
}
