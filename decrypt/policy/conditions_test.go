package policy

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
)

const chrome = "t13d1516h2_8daaf6152771_e5627efa2ab1"

func trusted(issuer string, names ...string) *Certificate {
	return &Certificate{Names: names, Issuers: []string{issuer}, Trusted: true}
}

func TestNewConditions(t *testing.T) {
	banks := list(t, "bank.test\n")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	work := Period{From: 8 * 60, To: 18 * 60, Days: Days(0).Add(time.Monday).Add(time.Friday), Zone: time.UTC}
	night := Period{From: 22 * 60, To: 6 * 60, Days: Days(0).Add(time.Saturday), Zone: berlin}
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		name  string
		rule  Rule
		facts Facts
		want  bool
	}{
		{"category, below", Rule{Category: []*List{banks}}, Facts{SNI: "www.bank.test"}, true},
		{"category, host", Rule{Category: []*List{banks}}, Facts{SNI: "a.test", Host: "bank.test"}, true},
		{"category, not in it", Rule{Category: []*List{banks}}, Facts{SNI: "a.test"}, false},
		{"category, no name", Rule{Category: []*List{banks}}, Facts{}, false},
		{"category or host", Rule{Category: []*List{banks}, Host: []string{"a.test"}}, Facts{SNI: "a.test"}, true},
		{"category and port", Rule{Category: []*List{banks}, Port: []PortRange{{80, 80}}}, Facts{SNI: "bank.test", Origin: netip.MustParseAddrPort("192.0.2.1:443")}, false},

		{"intake", Rule{Intake: []string{"proxy", "wire"}}, Facts{Intake: "wire"}, true},
		{"intake, another", Rule{Intake: []string{"proxy"}}, Facts{Intake: "wire"}, false},
		{"intake, unknown", Rule{Intake: []string{"proxy"}}, Facts{}, false},

		{"ja4", Rule{JA4: []string{chrome}}, Facts{JA4: chrome}, true},
		{"ja4, part", Rule{JA4: []string{"*_8daaf6152771_*"}}, Facts{JA4: chrome}, true},
		{"ja4, another", Rule{JA4: []string{"t13d1516h2_8daaf6152771_000000000000"}}, Facts{JA4: chrome}, false},
		{"ja4, unknown", Rule{JA4: []string{"t13d1516h2_*_*"}}, Facts{}, false},
		{"ja4, too many parts", Rule{JA4: []string{"t13d1516h2_*_*"}}, Facts{JA4: chrome + "_1"}, false},

		{"time, in it", Rule{Time: []Period{work}}, Facts{Time: at("2026-01-02T08:00:00Z")}, true}, // a Friday
		{"time, end is out", Rule{Time: []Period{work}}, Facts{Time: at("2026-01-02T18:00:00Z")}, false},
		{"time, other day", Rule{Time: []Period{work}}, Facts{Time: at("2026-01-03T12:00:00Z")}, false},
		{"time, zone of the fact does not matter", Rule{Time: []Period{work}}, Facts{Time: at("2026-01-02T23:00:00+09:00")}, true},
		{"time, night, evening", Rule{Time: []Period{night}}, Facts{Time: at("2026-01-03T22:00:00+01:00")}, true},
		{"time, night, next morning", Rule{Time: []Period{night}}, Facts{Time: at("2026-01-04T05:59:00+01:00")}, true},
		{"time, night, morning of that day", Rule{Time: []Period{night}}, Facts{Time: at("2026-01-03T05:00:00+01:00")}, false},
		{"time, night, over", Rule{Time: []Period{night}}, Facts{Time: at("2026-01-04T06:00:00+01:00")}, false},
		{"time, days alone", Rule{Time: []Period{{Days: Days(0).Add(time.Sunday), Zone: time.UTC}}}, Facts{Time: at("2026-01-04T00:00:00Z")}, true},
		{"time, from midnight", Rule{Time: []Period{{To: 60, Zone: time.UTC}}}, Facts{Time: at("2026-01-04T00:30:00Z")}, true},
		{"time, unknown", Rule{Time: []Period{{Zone: time.UTC}}}, Facts{}, false},

		{"name in the certificate", Rule{OriginName: []string{"www.bank.test"}}, Facts{TLS: true, Certificate: trusted("ca", "x.test", "WWW.bank.test")}, true},
		{"name, star in the rule", Rule{OriginName: []string{"*.bank.test"}}, Facts{TLS: true, Certificate: trusted("ca", "a.b.bank.test")}, true},
		{"name, star in both", Rule{OriginName: []string{"*.bank.test"}}, Facts{TLS: true, Certificate: trusted("ca", "*.bank.test")}, true},
		{"name, star in the certificate", Rule{OriginName: []string{"www.bank.test"}}, Facts{TLS: true, Certificate: trusted("ca", "*.bank.test")}, true},
		{"name, star stands for one label", Rule{OriginName: []string{"a.www.bank.test"}}, Facts{TLS: true, Certificate: trusted("ca", "*.bank.test")}, false},
		{"name, star is not the apex", Rule{OriginName: []string{"bank.test"}}, Facts{TLS: true, Certificate: trusted("ca", "*.bank.test")}, false},
		{"name, address", Rule{OriginName: []string{"192.0.2.1"}}, Facts{TLS: true, Certificate: trusted("ca", "192.0.2.1")}, true},
		{"name, another", Rule{OriginName: []string{"www.bank.test"}}, Facts{TLS: true, Certificate: trusted("ca", "x.test")}, false},
		{"name, not trusted", Rule{OriginName: []string{"x.test"}}, Facts{TLS: true, Certificate: &Certificate{Names: []string{"x.test"}}}, false},
		{"name, none shown", Rule{OriginName: []string{"x.test"}}, Facts{TLS: true, Certificate: &Certificate{}}, false},
		{"name, plain session", Rule{OriginName: []string{"x.test"}}, Facts{}, false},
		{"issuer", Rule{Issuer: []string{"Example CA"}}, Facts{TLS: true, Certificate: trusted("EXAMPLE CA")}, true},
		{"issuer, another", Rule{Issuer: []string{"Example CA"}}, Facts{TLS: true, Certificate: trusted("Other CA")}, false},
		{"issuer and name", Rule{Issuer: []string{"ca"}, OriginName: []string{"x.test"}}, Facts{TLS: true, Certificate: trusted("ca", "y.test")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Name, tt.rule.Action = "rule", Tunnel
			table, err := New([]Rule{tt.rule}, Bump)
			if err != nil {
				t.Fatal(err)
			}
			want := Decision{Rule: "default", Action: Bump}
			if tt.want {
				want = Decision{Rule: "rule", Action: Tunnel}
			}
			got := table.Decide(&tt.facts)
			got.Claim = NoClaim // see TestClaim
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			if steps := table.Explain(&tt.facts); !tt.want && (steps[0].Why == "" || steps[0].Pending) {
				t.Errorf("no reason given: %+v", steps[0])
			}
		})
	}
}

// Who may be believed, and who is asked at all.
func TestCertificateRules(t *testing.T) {
	rules := func(first, second Action) *Table {
		table, err := New([]Rule{
			{Name: "first", Issuer: []string{"ca"}, Action: first},
			{Name: "second", Host: []string{"*.test"}, Action: second},
		}, Bump)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	for _, row := range []struct {
		name  string
		table *Table
		facts Facts
		want  Decision
	}{
		{"asked for", rules(Tunnel, Bump), Facts{TLS: true, SNI: "a.test"}, Decision{Rule: "second", Action: Bump, Pending: true}},
		{"before the default", rules(Tunnel, Bump), Facts{TLS: true}, Decision{Rule: "default", Action: Bump, Pending: true}},
		{"known", rules(Tunnel, Bump), Facts{TLS: true, SNI: "a.test", Certificate: trusted("ca")}, Decision{Rule: "first", Action: Tunnel}},
		{"another's", rules(Tunnel, Bump), Facts{TLS: true, SNI: "a.test", Certificate: trusted("other")}, Decision{Rule: "second", Action: Bump}},
		{"plain", rules(Tunnel, Bump), Facts{SNI: "a.test"}, Decision{Rule: "second", Action: Bump}},
		{"terminated either way", rules(Terminate, Terminate), Facts{TLS: true, SNI: "a.test"}, Decision{Rule: "second", Action: Terminate}},
		{"terminated perhaps", rules(Terminate, Tunnel), Facts{TLS: true, SNI: "a.test"}, Decision{Rule: "second", Action: Tunnel, Claim: SNIClaim, Pending: true}},
		{"spared perhaps", rules(Tunnel, Terminate), Facts{TLS: true, SNI: "a.test"}, Decision{Rule: "second", Action: Terminate, Pending: true}},
		{"terminated on its word", rules(Terminate, Bump), Facts{TLS: true, SNI: "a.test", Certificate: &Certificate{Issuers: []string{"ca"}}}, Decision{Rule: "first", Action: Terminate}},
		{"not spared on its word", rules(Tunnel, Bump), Facts{TLS: true, SNI: "a.test", Certificate: &Certificate{Issuers: []string{"ca"}}}, Decision{Rule: "second", Action: Bump}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.table.Decide(&row.facts); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
	steps := rules(Tunnel, Bump).Explain(&Facts{TLS: true})
	if !steps[0].Pending || !strings.Contains(steps[0].Why, "not known yet") {
		t.Errorf("%+v", steps[0])
	}
}

func TestEvents(t *testing.T) {
	table, err := New([]Rule{{Name: "evil", Host: []string{"evil.test"}, Action: Terminate}, {Name: "late", Issuer: []string{"ca"}, Action: Bump}}, Tunnel)
	if err != nil {
		t.Fatal(err)
	}
	table, err = table.WithEvents(EventActions{NoSNI: Bump, SNIUnresolved: TunnelCheck, ECH: Terminate})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		sni    string
		events Events
		tls    bool
		want   Decision
	}{
		{"none", "", 0, false, Decision{Rule: "default", Action: Tunnel}},
		{"one", "", Events(0).With(NoSNI), false, Decision{Rule: "event:no-sni", Action: Bump}},
		{"logged only", "", Events(0).With(SNIMismatch), false, Decision{Rule: "default", Action: Tunnel}},
		{"first of several", "", Events(0).With(SNIUnresolved).With(NoSNI), false, Decision{Rule: "event:no-sni", Action: Bump}},
		{"terminate before all", "", Events(0).With(NoSNI).With(ECH), true, Decision{Rule: "event:ech", Action: Terminate}},
		{"terminate before what is sure", "", Events(0).With(ECH).With(ECHRequired).With(NoSNI), true, Decision{Rule: "event:ech", Action: Terminate}},
		{"a rule that terminates stays", "evil.test", Events(0).With(NoSNI), true, Decision{Rule: "evil", Action: Terminate}},
		{"a certificate may still be asked for", "", Events(0).With(NoSNI), true, Decision{Rule: "event:no-sni", Action: Bump, Pending: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := Facts{SNI: row.sni, Events: row.events, TLS: row.tls}
			if got := table.Decide(&f); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			steps := table.Explain(&f)
			if last := steps[len(steps)-1]; last.Rule != row.want.Rule || last.Action != row.want.Action {
				t.Errorf("Explain ends with %v", last)
			}
		})
	}
	if _, err := table.WithEvents(EventActions{99: Bump}); err == nil {
		t.Error("unknown event accepted")
	}
	for e := range eventCount {
		if got, err := ParseEvent(e.String()); got != e || err != nil {
			t.Errorf("%v reads as %v, %v", e, got, err)
		}
	}
	if diff := cmp.Diff([]string{"no-sni", "ech"}, Events(0).With(ECH).With(NoSNI).Names()); diff != "" {
		t.Error(diff)
	}
	f := Facts{SNI: "a.test", Events: Events(0).With(NoSNI).With(ECH), TLS: true, Time: time.Now()}
	if n := testing.AllocsPerRun(100, func() { table.Decide(&f) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMonitor(t *testing.T) {
	prefix := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	table, err := New([]Rule{
		{Name: "spared", Client: prefix, Action: Tunnel},
		{Name: "evil", Host: []string{"evil.test"}, Action: Terminate},
		{Name: "late", Issuer: []string{"ca"}, Action: Terminate},
	}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	monitor := table.Monitor()
	for _, row := range []struct {
		name  string
		facts Facts
		want  Decision
	}{
		{"bump", Facts{TLS: true}, Decision{Rule: "default", Action: Tunnel, Monitored: true, Would: Bump}},
		{"terminate", Facts{SNI: "evil.test", TLS: true}, Decision{Rule: "evil", Action: Tunnel, Monitored: true, Would: Terminate}},
		{"plain is passed and seen", Facts{Protocol: "http"}, Decision{Rule: "default", Action: Bump, Monitored: true, Would: Bump}},
		{"plain, terminate", Facts{Host: "evil.test"}, Decision{Rule: "evil", Action: Tunnel, Monitored: true, Would: Terminate}},
		{"tunnel", Facts{Client: netip.MustParseAddrPort("192.0.2.1:1"), TLS: true}, Decision{Rule: "spared", Action: Tunnel, Monitored: true, Would: Tunnel}},
	} {
		if got := monitor.Decide(&row.facts); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.name, got, row.want)
		}
	}
	if clients, _ := table.TunnelByAddress(); len(clients) != 1 {
		t.Errorf("%v are tunneled by address", clients)
	}
	if clients, _ := monitor.TunnelByAddress(); clients != nil {
		t.Error("sessions would not be audited")
	}
	events, _ := table.WithEvents(EventActions{NoSNI: Terminate})
	if clients, _ := events.TunnelByAddress(); clients != nil {
		t.Error("an event would not decide")
	}
}

func TestNewRefusesConditions(t *testing.T) {
	for name, row := range map[string]struct {
		rule Rule
		want string
	}{
		"nil list":         {Rule{Category: []*List{nil}}, "category"},
		"intake":           {Rule{Intake: []string{""}}, `intake ""`},
		"ja4, two parts":   {Rule{JA4: []string{"a_b"}}, `ja4 "a_b"`},
		"ja4, long part":   {Rule{JA4: []string{"t13d1516h2_8daaf61527711_*"}}, "ja4 "},
		"ja4, everything":  {Rule{JA4: []string{"*_*_*"}}, "leave ja4 out"},
		"time":             {Rule{Time: []Period{{From: 1441}}}, "time "},
		"origin name":      {Rule{OriginName: []string{"a..b"}}, `origin_name: host "a..b"`},
		"issuer":           {Rule{Issuer: []string{""}}, `issuer ""`},
		"days beyond week": {Rule{Time: []Period{{Days: 128}}}, "time "},
	} {
		row.rule.Name = "broken"
		if _, err := New([]Rule{row.rule}, Bump); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
	}
}

func TestExplainConditions(t *testing.T) {
	table, err := New([]Rule{
		{Name: "intake", Intake: []string{"wire"}},
		{Name: "ja4", JA4: []string{"t13d1516h2_*_*"}},
		{Name: "time", Time: []Period{{From: 480, To: 1080, Days: Days(0).Add(time.Monday).Add(time.Sunday), Zone: time.UTC}}},
		{Name: "category", Category: []*List{list(t, "bank.test")}},
		{Name: "names", OriginName: []string{"a.test"}},
		{Name: "issuer", Issuer: []string{"ca"}},
	}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range table.Explain(&Facts{
		Intake: "proxy", JA4: "t12i0000_1_1", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), SNI: "x.test",
		TLS: true, Certificate: trusted("other", "b.test"),
	}) {
		got = append(got, step.String())
	}
	if diff := cmp.Diff([]string{
		"intake: intake is proxy, not wire",
		"ja4: ja4 is t12i0000_1_1, not t13d1516h2_*_*",
		"time: time is 03:04 Fri UTC, not in 08:00-18:00 mon,sun UTC",
		"category: server name x.test not among the rule's hosts, nor in finance",
		"names: the origin's certificate is for b.test, not among the rule's names",
		"issuer: issuer is other, not ca",
		"default: matches, bump",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
