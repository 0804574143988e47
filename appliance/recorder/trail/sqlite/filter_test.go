package sqlite

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
)

// TestFilter: a question for what no day has opens no file of a day that is over, and what is
// there is found.
func TestFilter(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := trailtest.Mix{Begin: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Events: 300, Days: 4}
	if err := s.Write(t.Context(), m.Batch(0, 300)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	asked := make(map[string]bool)
	ask := func(text string) (n int) {
		t.Helper()
		q, err := trail.Language.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Events(t.Context(), trail.Question{Query: q}, func(*trail.Full) bool { n++; return true }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, text := range []string{
		"host:nosuch.example.com", "nosuchword", `"nosuchword invoice"`, "text:nosuchword", "client:192.0.2.77", "server:192.0.2.77", "192.0.2.77",
		"object:" + trailtest.Hash(1).String(), "kind:mail host:nosuch.example.com", "nosuch1 or nosuch2",
		"user:nosuch", "from:nosuch@example.com", "to:nosuch@example.com", "finding:nosuch", "sni:nosuch.example.com",
	} {
		if n := ask(text); n > 0 {
			t.Errorf("%s: %d events", text, n)
		}
	}
	if n := len(s.days); n > 1 { // one in a hundred is opened in vain
		t.Errorf("%d days are open", n)
	}
	one := m.Batch(150, 1).Events[0]
	for _, e := range m.Batch(0, 300).Events {
		for field, value := range map[string]string{"user": e.User, "from": e.Sender, "agent": e.Agent, "kind": e.Kind, "method": e.Method} {
			if value = strings.ToUpper(value); value != "" && !asked[field+value] {
				if asked[field+value] = true; ask(field+`:"`+value+`"`) == 0 {
					t.Errorf("%s %q: nothing", field, value)
				}
			}
		}
	}
	for _, text := range []string{"host:" + one.Host, "client:" + one.Client.Addr().String(), "server:" + one.Server.Addr().String(), "-nosuchword", "nosuchword or kind:tls", "host:*.com", "invoi*", "client:10.0.0.0/8"} {
		if ask(text) == 0 {
			t.Errorf("%s: nothing", text)
		}
	}
	// Rows that come late are found.
	if err := s.Write(t.Context(), &trail.Batch{Events: []trail.Event{{ID: trailtest.ID(m.At(1), 99), At: m.At(1), Kind: trail.Lookup, Host: "late.example.com"}}}); err != nil {
		t.Fatal(err)
	}
	if ask("host:late.example.com") != 1 {
		t.Error("a late event is not found")
	}
	// What is no filter lets everything pass.
	for _, text := range []string{"", "csbloom\x02", "csbloom\x02\xff\xff\xff\xff\xff\xff\xff\x7f0000"} {
		if err := os.WriteFile(s.filterFile("2026-01-03"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if ask("host:"+one.Host) == 0 {
			t.Errorf("filter %q: nothing", text)
		}
	}
}
