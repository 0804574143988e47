package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
)

// inspecting is a recorder with a text in its section inspect, and one in its alerts.
func inspecting(t *testing.T, found, alert string) (*Config, string, error) {
	dir := t.TempDir()
	for _, name := range []string{"words.txt", "ca.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("Red Falcon\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Parse("c.yaml", []byte("state: s\nintake: [{name: p, mode: explicit, listen: 127.0.0.1:3128}]\nrecorder:\n  source: [{name: drop, kind: directory, directory: in}]\n  inside: [10.0.0.0/8]\n  alert: ["+alert+"]\n  inspect: "+found+"\n"), dir)
	return c, dir, err
}

// TestInspection: all that the section says gets into the recorder, and what rules name may be
// of any kind.
func TestInspection(t *testing.T) {
	c, dir, err := inspecting(t, `{received: true, passwords: true, dictionaries: {projects: words.txt}, registered: {customers: customers.csv}, patterns: [{name: part, pattern: '\bPX-\d+', near: [plan], reach: 9, count: 2, score: 90}], rules: [{name: r, to: [outside], when: {projects: 1, customers: 2, part: 3}, alert: [siem]}]}`,
		`{name: siem, kind: syslog, server: "tls:siem.example.test:6514", ca: ca.pem, server_name: x.example.test}, {name: udp, kind: syslog, server: "udp:192.0.2.1:514"}`)
	if err != nil {
		t.Fatal(err)
	}
	words, customers, ca := filepath.Join(dir, "words.txt"), filepath.Join(dir, "customers.csv"), filepath.Join(dir, "ca.pem")
	want := Inspection{
		Received: true, Passwords: true,
		Dictionaries: []NamedFile{{"projects", words}}, Registered: []NamedFile{{"customers", customers}},
		Patterns: []inspect.Pattern{{Name: "part", RE: `\bPX-\d+`, Near: []string{"plan"}, Reach: 9, Count: 2, Score: 90}},
		Rules:    []judge.Rule{{Name: "r", To: []string{"outside"}, When: map[string]uint64{"projects": 1, "customers": 2, "part": 3}, Alert: []string{"siem"}}},
	}
	if diff := cmp.Diff(want, c.Recorder.Inspect); diff != "" {
		t.Error(diff)
	}
	if got := c.Recorder.Alerts; got[0].Address != "syslog+tls://siem.example.test:6514?ca="+strings.ReplaceAll(ca, "/", "%2F")+"&name=x.example.test" || got[1].Address != "syslog+udp://192.0.2.1:514" {
		t.Errorf("%+v", got)
	}
	for _, file := range []string{words, customers, ca} {
		if !slices.Contains(c.Recorder.Files, file) {
			t.Errorf("%s is not to be read: %q", file, c.Recorder.Files)
		}
	}
	if list := c.Warnings(); len(list) != 1 || !strings.HasPrefix(list[0].Message, "passwords: true: ") {
		t.Errorf("%+v", list)
	}
}

// TestBadInspection: what is refused.
func TestBadInspection(t *testing.T) {
	for _, tt := range []struct{ found, alert, want string }{
		{`{dictionaries: {card: words.txt}}`, "", "two detectors are called card"},
		{`{dictionaries: {a: words.txt}, registered: {a: x.csv}}`, "", "two detectors are called a"},
		{`{dictionaries: {a: nosuch.txt}}`, "", "does not exist"},
		{`{patterns: [{name: p, pattern: "("}]}`, "", "pattern p: "},
		{`{patterns: [{name: p, pattern: "x*"}]}`, "", "matches the empty text"},
		{`{rules: [{name: r, when: {projects: 1}}]}`, "", `unknown detector "projects"`},
		{`{}`, `{name: s, kind: syslog, server: "siem.example.test:514", ca: ca.pem}`, "put tls: in front"},
		{`{}`, `{name: s, kind: syslog, server: "siem.example.test:514", to: [a@b.test]}`, "to does not apply to kind syslog"},
	} {
		if _, _, err := inspecting(t, tt.found, tt.alert); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want %s", tt.found, tt.alert, err, tt.want)
		}
	}
}
