package learn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Matches tells of every entry about a session's host whether it counts, as Recall does,
// and leaves entries and file alone.
func TestMatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "learned.json")
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	o := Options{Pinned: Tunnel, After: 1, Within: time.Hour, PinnedFor: time.Hour}
	taught := New(o, Config{Now: clock})
	f := facts(alice, site, there)
	if !taught.Learn(Pinned, f, policy.Decision{}, "bad_certificate") {
		t.Fatal("nothing was learned")
	}
	if err := taught.Save(path); err != nil {
		t.Fatal(err)
	}
	alert := o
	alert.Pinned = Alert
	elsewhere := facts(alice, site, there)
	elsewhere.Host = "elsewhere.test"
	for _, tt := range []struct {
		name    string
		options Options
		facts   *policy.Facts
		tr      *policy.Treatment
		after   time.Duration
		want    string // "": it tunnels, "none": there is none
	}{
		{"counts", o, f, nil, 0, ""},
		{"alert", alert, f, nil, 0, "the action is alert"},
		{"rule with off", o, f, &policy.Treatment{Learn: "off"}, 0, "learn: off"},
		{"over", o, f, nil, 2 * time.Hour, "it is over"},
		{"another destination", o, elsewhere, nil, 0, "it was learned of"},
		{"another client", o, facts(bob, site, there), nil, 0, "none"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := New(tt.options, Config{Now: func() time.Time { return now.Add(tt.after) }})
			if err := table.Read(path); err != nil {
				t.Fatal(err)
			}
			got := table.Matches(tt.facts, tt.tr)
			if tt.want == "none" {
				if len(got) != 0 {
					t.Errorf("matches %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Tunnels != (tt.want == "") || !strings.Contains(got[0].Why, tt.want) {
				t.Fatalf("matches %+v, want %q", got, tt.want)
			}
			if recalls := table.Recall(tt.facts, tt.tr) == Pinned; recalls != got[0].Tunnels {
				t.Errorf("Recall says %v", recalls)
			}
		})
	}
}

// A file that cannot be read is left where it is.
func TestReadLeavesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "learned.json")
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(Options{}, Config{}).Read(path); err == nil {
		t.Error("a torn file was read")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
