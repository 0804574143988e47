package admin

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/reference"
)

// Names of intakes and so on in the reference, in place of those of a configuration.
const someIntake, someMirror, someService = "INTAKE", "MIRROR", "SERVICE"

// everything returns metrics with all families that the appliance may have, before the
// first event.
func everything(t *testing.T) *Metrics {
	t.Helper()
	m := NewMetrics("VERSION")
	m.Intake(someIntake, []string{"REASON"})
	m.Sink(someMirror, []string{"REASON"}, []string{"REASON"})
	m.Service(someService, []string{"RESULT"})
	zero := func() uint64 { return 0 }
	word := func(word string) func() (map[string]uint64, error) {
		return func() (map[string]uint64, error) { return map[string]uint64{word: 0}, nil }
	}
	for _, err := range []error{
		m.Memory(zero, zero), m.AuditLost(zero), m.Outputs(func() []OutputState { return []OutputState{{Name: "x"}} }), m.LeafCache(zero), m.QUICLost(zero, zero), m.DNS(func() (q Queries) { return q }),
		m.Learned(func() learn.Stats { return learn.Stats{} }),
		m.WirePaths(someIntake, word("PATH")), m.Strays(someIntake, word("FATE")), m.QUICDatagrams(someIntake, word("FATE")),
		m.DeviceCounters(someService, word("EVENT")), m.State(someState),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// someState is the state of a box with a part of each kind that has metrics of its own.
func someState() State {
	board := health.New()
	for kind, name := range map[health.Kind]string{
		health.Worker: "main", health.Intake: someIntake, health.Wire: someIntake, health.Mirror: someMirror, health.Service: someService,
		health.Authority: "trusted", health.Audit: "log", health.Disk: "state", health.Config: "file",
	} {
		board.Set(kind, name, health.Reading{})
	}
	return State{
		Health: board.Health(), Mirrors: []MirrorState{{Name: someMirror}}, Workers: 1,
		Authorities: map[string]time.Time{"trusted": {}, "untrusted": {}}, Disks: map[string]uint64{"state": 0},
	}
}

// TestFamiliesFromTheStart: every family is there before the first event, so that rates
// and alerts have a value.
func TestFamiliesFromTheStart(t *testing.T) {
	m := everything(t)
	described := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(described)
	close(described)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, f := range families {
		seen[f.GetName()] = true
	}
	for d := range described {
		name := regexp.MustCompile(`fqName: "([^"]*)"`).FindStringSubmatch(d.String())
		if strings.HasPrefix(name[1], namespace) && !seen[name[1]] {
			t.Errorf("%s is not there before the first event", name[1])
		}
	}
}

// TestKnownWords: the series that are there from the start have all words.
func TestKnownWords(t *testing.T) {
	for name, beyond := range map[string]string{
		"outcome": (decrypt.Terminated + 1).String(), "result of STARTTLS": (decrypt.StartTLSStripped + 1).String(),
		"action": (policy.Terminate + 1).String(), "event": (policy.TunnelUnproven + 1).String(),
	} {
		if beyond != "" && beyond != "unknown" && !strings.Contains(beyond, "(") {
			t.Errorf("the %s %q has no series", name, beyond)
		}
	}
}

// family is a row of the page.
type family struct {
	name, kind, unit, help string
	labels                 []string
	values                 map[string][]string // by label
}

func read(f *dto.MetricFamily) family {
	r := family{name: f.GetName(), kind: strings.ToLower(f.GetType().String()), help: f.GetHelp(), values: make(map[string][]string)}
	for _, unit := range []string{"octets", "seconds"} {
		if regexp.MustCompile(`_` + unit + `(_total)?$`).MatchString(r.name) {
			r.unit = unit
		}
	}
	for _, s := range f.GetMetric() {
		for _, l := range s.GetLabel() {
			if !slices.Contains(r.labels, l.GetName()) {
				r.labels = append(r.labels, l.GetName())
			}
			if v := l.GetValue(); !slices.Contains(r.values[l.GetName()], v) {
				r.values[l.GetName()] = append(r.values[l.GetName()], v)
			}
		}
	}
	return r
}

// topics are the sections of the page; a family is in the first whose pattern matches.
var topics = []struct{ title, pattern, text string }{
	{"State", "ready|part_.*|workers|config_.*|disk_.*", "A part is in one of the states ok, degraded and down. `/readyz` and the metrics show the same states. The label `part` is its kind, `name` its name in the configuration. The parts `worker` are processes, `disk` are directories that clearspan writes to."},
	{"Sessions", "sessions_(open|total)|session_.*|relayed_.*|action_.*|handshake.*|starttls_.*|ech_.*", ""},
	{"Policy and learning", "policy_.*|sessions_(learned|bypassed)_total|learned_.*|lessons_.*", ""},
	{"Origins", "origin_.*", ""},
	{"Intakes", "intake_.*|wire_.*|strays_.*|quic_.*|dns_.*", "An intake of mode `wire` has `clearspan_wire_frames_total`. Intakes of mode `tproxy` and `redirect` have `clearspan_strays_total` and `clearspan_quic_datagrams_total`. Intakes of mode `dns` have `clearspan_dns_`, in sum for all of them."},
	{"Mirrors", "mirror_.*|feed_.*", "The label `sink` is the name of the mirror. Names with `http2` are there for mirrors with `http2: transcode`."},
	{"Services", "service_.*|inline_.*", "A service of kind `icap` has `clearspan_service_decision_seconds`. One of kind `inline` has `clearspan_inline_events_total`."},
	{"Authorities and forged certificates", "authority_.*|forged_.*|leaf_.*", "The authority `next` has a series while a rotation is planned."},
	{"Audit log", "audit_.*", ""},
	{"Process", "memory_.*|build_info", "Names with `go_` and `process_` come from the Go runtime and the kernel, and are not listed here."},
}

// wordsOf are where the page of reasons has the values of labels.
var wordsOf = map[string]string{
	"clearspan_origin_verdicts_total reason":                 "`ok` and [reasons](reasons.md#verification-of-origins)",
	"clearspan_mirror_lost_octets_total reason":              "[reasons](reasons.md#losses-of-mirrors)",
	"clearspan_mirror_http2_raw_octets_total reason":         "[reasons](reasons.md#http2-that-cannot-be-transcoded)",
	"clearspan_intake_refusals_total reason":                 "[reasons](reasons.md#connections-that-an-intake-refused)",
	"clearspan_strays_total fate":                            "`reset`, `passed`",
	"clearspan_quic_datagrams_total fate":                    "`refused`, `passed`",
	"clearspan_wire_frames_total path":                       "[paths](reasons.md#frames-of-a-wire)",
	"clearspan_service_decision_seconds result":              "[results](reasons.md#results-of-services)",
	"clearspan_inline_events_total event":                    "[results](reasons.md#results-of-inline-devices) and [events](reasons.md#frames-and-probes-of-inline-devices)",
	"clearspan_part_up name":                                 "names of parts",
	"clearspan_part_degraded name":                           "names of parts",
	"clearspan_disk_free_octets disk":                        "`state`, `audit`, `mirror NAME`",
	"clearspan_authority_expiry_timestamp_seconds authority": "`trusted`, `untrusted`, `next`",
	"clearspan_build_info goversion":                         "the version of Go",
	"clearspan_build_info revision":                          "the revision of the source",
	"clearspan_build_info version":                           "the version of clearspan",
}

func values(f family, label string) string {
	if text, ok := wordsOf[f.name+" "+label]; ok {
		return text
	}
	switch label {
	case "intake":
		return "names of intakes"
	case "sink":
		return "names of mirrors"
	case "service":
		return "names of services"
	}
	return reference.Codes(f.values[label])
}

// alerts are expressions for Prometheus, and when they hold.
var alerts = [][2]string{
	{`up{job="clearspan"} == 0`, "clearspan does not run, or Prometheus cannot reach it."},
	{`increase(clearspan_audit_lost_entries_total[5m]) > 0`, "Audit entries are lost. See the log message `audit log cannot be written`."},
	{`sum by (sink, reason) (increase(clearspan_mirror_lost_octets_total{reason!~"unselected|concealed|no-reader"}[5m])) > 0`, "Recorders miss data."},
	{`sum by (intake, reason) (increase(clearspan_intake_refusals_total{reason=~"accept-failed|limit-reached|.*-short"}[5m])) > 0`, "Clients are refused because of load."},
	{`clearspan_memory_used_octets / clearspan_memory_limit_octets > 0.9`, "Memory runs short."},
	{`increase(clearspan_origin_verdicts_total{reason="own-authority"}[5m]) > 0`, "An origin holds a certificate of your own CA."},
	{`increase(clearspan_quic_flows_unwritten_total[5m]) > 0`, "QUIC flows have no audit entry. Look for a flood."},
	{`sum by (service) (increase(clearspan_service_decision_seconds_count{result=~"failed-.*"}[5m])) > 0`, "A service fails."},
	{`increase(clearspan_wire_frames_total{path=~"down|blocked|overrun|expired"}[5m]) > 0`, "Connections pass a wire undecided, or are blocked."},
}

func TestReferenceOfMetrics(t *testing.T) {
	gathered, err := everything(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	p := reference.NewPage("Metrics",
		"clearspan serves metrics in the Prometheus text format under `/metrics`. The key `admin.listen` of the [configuration](config.md#administration) sets the address.",
		"Most metrics of sessions count when a session ends. While it is open, `clearspan_sessions_open` changes, and so do relayed octets and the metrics of mirrors, services and wires.",
		"Every family is there from the start. Series with known labels begin at 0, before the first event. Label values come from the configuration and from fixed words, never from traffic. If a label gets more than 256 values, further values become `other`.")
	placed := make(map[string]bool)
	for _, topic := range topics {
		p.Section(topic.title)
		if topic.text != "" {
			p.Text(topic.text)
		}
		var rows, labels [][]string
		for _, f := range gathered {
			name, ours := strings.CutPrefix(f.GetName(), namespace+"_")
			if !ours || placed[name] || !regexp.MustCompile(`^(`+topic.pattern+`)$`).MatchString(name) {
				continue
			}
			placed[name] = true
			r := read(f)
			if r.help == "" || !strings.HasSuffix(r.help, ".") && name != "build_info" {
				t.Errorf("%s: the help %q is no sentence", name, r.help)
			}
			rows = append(rows, []string{reference.Code(r.name), r.kind, reference.Codes(r.labels), r.unit, r.help})
			for _, l := range r.labels {
				row := []string{reference.Code(r.name), reference.Code(l), values(r, l)}
				if i := slices.IndexFunc(labels, func(o []string) bool { return o[1] == row[1] && o[2] == row[2] }); i >= 0 {
					labels[i][0] += ", " + row[0]
				} else {
					labels = append(labels, row)
				}
			}
		}
		p.Table([]string{"name", "type", "labels", "unit", "meaning"}, rows)
		if labels != nil {
			p.Text("Label values:")
			p.Table([]string{"name", "label", "values"}, labels)
		}
	}
	p.Section("Alerts")
	p.Text("Expressions to begin with:")
	var rows [][]string
	names := make(map[string]bool)
	for _, f := range gathered {
		names[f.GetName()] = true
		if name, ours := strings.CutPrefix(f.GetName(), namespace+"_"); ours && !placed[name] {
			t.Errorf("%s is in no section", name)
		}
	}
	for _, a := range alerts {
		for _, name := range regexp.MustCompile(`clearspan_\w+`).FindAllString(a[0], -1) {
			if !names[name] && !names[strings.TrimSuffix(name, "_count")] {
				t.Errorf("an alert has %s, which is no metric", name)
			}
		}
		rows = append(rows, []string{reference.Code(a[0]), a[1]})
	}
	p.Table([]string{"expression", "meaning"}, rows)
	p.Hold(t, "metrics.md")
	if len(placed) < 38 {
		t.Errorf("only %d families", len(placed))
	}
}
