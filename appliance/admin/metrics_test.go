package admin

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

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
	m.Relayed(bumped, decrypt.ClientToOrigin, 10)
	m.Relayed(bumped, decrypt.OriginToClient, 1900)
	m.Relayed(&decrypt.Session{}, decrypt.OriginToClient, 100)
	m.SessionEnded(bumped)
	m.SessionEnded(&decrypt.Session{
		Intake: "proxy", Outcome: decrypt.Terminated,
		Decision:  policy.Decision{Rule: "evil", Action: policy.Terminate},
		OriginTLS: decrypt.LegTLS{Verdict: "expired"},
	})
	m.SessionEnded(&decrypt.Session{Intake: "proxy", Protocol: "ldap", StartTLS: decrypt.StartTLSRefused})
	m.Handshake("0123456789abcdef", "client", 3*time.Millisecond, true)
	m.Handshake("0123456789abcdef", "origin", 3*time.Second, false)
	m.Mirrored("recorder", 7, 900)
	m.MirrorLost("recorder", "queue-full", 100)
	m.Transcoded("recorder", 3, 1200, 2, 0, "")
	m.Transcoded("recorder", 1, 300, 0, 55, "hpack")
	m.Refused("proxy", "limit")

	got := gathered(t, m)
	for name, n := range map[string]float64{
		`handshakes_total{kind="full",leg="client"}`:                    0,
		`handshakes_total{kind="full",leg="origin"}`:                    1,
		`handshakes_total{kind="resumed",leg="client"}`:                 1,
		`handshakes_total{kind="resumed",leg="origin"}`:                 0,
		`intake_refusals_total{intake="proxy",reason="limit"}`:          1,
		`mirror_frames_total{sink="recorder"}`:                          7,
		`mirror_http2_raw_octets_total{reason="hpack",sink="recorder"}`: 55,
		`mirror_http2_rendered_octets_total{sink="recorder"}`:           1500,
		`mirror_http2_replaced_fields_total{sink="recorder"}`:           2,
		`mirror_http2_streams_total{sink="recorder"}`:                   4,
		`mirror_lost_octets_total{reason="queue-full",sink="recorder"}`: 100,
		`mirror_octets_total{sink="recorder"}`:                          900,
		`origin_revocation_checks_total{status="good"}`:                 1,
		`origin_revocation_checks_total{status="revoked"}`:              0,
		`origin_verdicts_total{reason="expired"}`:                       1,
		`origin_verdicts_total{reason="ok"}`:                            1,
		`origin_verdicts_total{reason="revoked"}`:                       0,
		`action_octets_total{action="bump"}`:                            1910,
		`action_octets_total{action="none"}`:                            100,
		`action_octets_total{action="tunnel"}`:                          0,
		`relayed_octets_total{direction="client_to_origin"}`:            10,
		`relayed_octets_total{direction="origin_to_client"}`:            2000,
		`sessions_open{intake="proxy"}`:                                 1,
		`sessions_total{action="bump",outcome="bumped"}`:                1,
		`sessions_total{action="none",outcome="failed"}`:                1,
		`sessions_total{action="terminate",outcome="terminated"}`:       1,
		`sessions_total{action="tunnel",outcome="tunneled"}`:            0,
		`starttls_dialogues_total{protocol="ldap",result="refused"}`:    1,
		`handshake_duration_seconds{leg="client",result="ok"}`:          1,
		`handshake_duration_seconds{leg="origin",result="failed"}`:      1,
	} {
		if v, ok := got[name]; !ok || v != n {
			t.Errorf("%s is %v (%t), want %v", name, v, ok, n)
		}
	}
	for _, sums := range []string{"sessions_total", "origin_verdicts_total", "starttls_dialogues_total"} {
		sum := 0.0
		for name, v := range got {
			if strings.HasPrefix(name, sums+"{") {
				sum += v
			}
		}
		if want := map[string]float64{"sessions_total": 3, "origin_verdicts_total": 2, "starttls_dialogues_total": 1}[sums]; sum != want {
			t.Errorf("%s counts %v, want %v", sums, sum, want)
		}
	}
}

// gathered returns every series of ours, without the namespace: the value, or how often
// a histogram was observed.
func gathered(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		name, ok := strings.CutPrefix(f.GetName(), namespace+"_")
		if !ok {
			continue
		}
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			key := name
			if labels != nil {
				key += "{" + strings.Join(labels, ",") + "}"
			}
			all[key] = s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestMetricNames(t *testing.T) {
	m := NewMetrics("1.2.3")
	m.SessionOpened("a")
	m.Handshake("0123456789abcdef", "client", 0, true)
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
	if err := m.AuditLost(lost.Load); err != nil {
		t.Fatal(err)
	}
	if err := m.LeafCache(func() uint64 { return 5 }); err != nil {
		t.Fatal(err)
	}
	lost.Store(42)
	for range 2 { // the forger may be replaced
		m.Forged(func() (forged, hits uint64) { return 7, 70 })
	}
	got := gathered(t, m)
	for name, want := range map[string]float64{"audit_lost_entries_total": 42, "forged_leaves_total": 7, "leaf_cache_entries": 5, "leaf_cache_hits_total": 70} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if err := m.AuditLost(lost.Load); err == nil {
		t.Error("a metric was added twice")
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
	m.Handshake("0123456789abcdef", "leg\xff", time.Second, true)
	m.SessionEnded(&decrypt.Session{Intake: "\xfe", Outcome: 200, Decision: policy.Decision{Rule: "x", Action: 200}})
	for name, limit := range map[string]int{
		"intake_refusals_total": 2*maxWords + 4, "mirror_lost_octets_total": maxWords + 1, "mirror_http2_raw_octets_total": maxWords + 1, "handshake_duration_seconds": 5,
	} {
		if n, err := testutil.GatherAndCount(m.registry, namespace+"_"+name); n > limit || n == 0 || err != nil {
			t.Errorf("%s: %d series, want at most %d, error %v", name, n, limit, err)
		}
	}
}

func TestMetricsMonitored(t *testing.T) {
	m := NewMetrics("")
	m.SessionEnded(&decrypt.Session{Decision: policy.Decision{Rule: "r", Action: policy.Tunnel, Monitored: true, Would: policy.Bump}})
	if got := gathered(t, m); got[`policy_monitored_total{would="bump"}`] != 1 || got[`policy_monitored_total{would="tunnel"}`] != 0 {
		t.Errorf("%v", got)
	}
}

// BenchmarkRelayed is what a piece of a session costs: the octets, and the frames of a
// mirror.
func BenchmarkRelayed(b *testing.B) {
	m := NewMetrics("1")
	m.Sink("recorder", []string{"queue-full"}, nil)
	s := &decrypt.Session{Decision: policy.Decision{Rule: "default"}}
	b.Run("octets", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Relayed(s, decrypt.OriginToClient, 64<<10)
		}
	})
	b.Run("mirror", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Mirrored("recorder", 46, 64<<10)
		}
	})
	b.Run("loss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.MirrorLost("recorder", "queue-full", 64<<10)
		}
	})
}
