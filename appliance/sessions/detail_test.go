package sessions

import (
	"encoding/json"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

type running struct{ account *decrypt.Session }

func (r running) Account() *decrypt.Session { return r.account }
func (r running) Cut()                      {}

// TestEntry: an open session has an entry in the shape of the trail; when it has ended the
// trail has it, and says the same of what was known.
func TestEntry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.jsonl")
	trail, err := audit.Open(audit.Options{File: file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mirrors, err := feed.New(feed.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b := &Book{Metrics: admin.NewMetrics("1"), Feed: mirrors, Audit: trail, Watch: watch.New(10)}
	s := &decrypt.Session{
		ID: "00000000000000a1", Intake: "proxy", Start: time.Now(), Client: netip.MustParseAddrPort("10.0.0.1:50000"),
		Origin: netip.MustParseAddrPort("192.0.2.1:443"), Name: "www.example.test",
	}
	b.Opened(s.Intake)
	observer := b.Watch.Begin(running{s})
	s.SNI, s.Protocol, s.Outcome = "www.example.test", "http", decrypt.Bumped
	s.Decision = policy.Decision{Rule: "r", Action: policy.Bump}
	s.OriginTLS = decrypt.LegTLS{Version: 0x0304, Verdict: "ok"}
	s.Served("av", "passed")
	observer.Reached(decrypt.StageRelay)
	if b.Open(s) != nil {
		t.Error("a stream without a mirror")
	}
	open, found := b.Entry(s.ID)
	if !found {
		t.Fatal("the open session has no entry")
	}
	s.End = time.Now()
	b.Ended(s, nil)
	if err := trail.Close(); err != nil {
		t.Fatal(err)
	}
	if _, found := b.Entry(s.ID); found {
		t.Error("it is open after its end")
	}
	line, err := audit.FindAt(file, s.ID, s.End)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(open)
	if err != nil {
		t.Fatal(err)
	}
	var meanwhile, last map[string]any
	if err := json.Unmarshal(text, &meanwhile); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &last); err != nil {
		t.Fatal(err)
	}
	for key, want := range last {
		got, ok := meanwhile[key]
		if a, b := encode(got), encode(want); !ok || a != b && key != "time" && key != "end" {
			t.Errorf("%s is %s while the session is open, %s in the trail", key, a, b)
		}
	}
}

func encode(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
