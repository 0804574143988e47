package screen

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/facts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func entry(change func(*audit.Entry)) *audit.Entry {
	e := &audit.Entry{Host: "www.example.com", Outcome: "bumped", Rule: "default", Octets: audit.Octets{ClientToOrigin: 79, OriginToClient: 4300}}
	if change != nil {
		change(e)
	}
	return e
}

func TestLine(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*audit.Entry)
		want   []string
	}{
		{"decrypted", nil, []string{"www.example.com ", "decrypted, 79 B sent, 4.3 kB received\n"}},
		{"requests", func(e *audit.Entry) {
			for range 5 {
				e.HTTP = append(e.HTTP, facts.Exchange{Method: "GET", Host: "a", Path: "/b", Status: 200, Type: "text/html", Length: 12})
			}
			e.HTTPTotal = 5
		}, []string{"\n          GET a/b  200 text/html, 12 B\n", "and 2 more requests\n"}},
		{"mail", func(e *audit.Entry) {
			e.Mail, e.MailTotal = []facts.Mail{{From: "a@b.test", To: []string{"c@d.test"}, Subject: "hello"}}, 1
		}, []string{"mail from a@b.test to c@d.test: hello\n"}},
		{"not trusted", func(e *audit.Entry) {
			e.Outcome, e.TLSClient = "failed", &audit.ClientTLS{Refusal: "unknown_ca"}
		}, []string{"the client does not trust our authority: install"}},
		{"rule", func(e *audit.Entry) { e.Outcome, e.Rule, e.Reason = "terminated", "evil", "policy" }, []string{"refused by rule evil\n"}},
		{"unresolved", func(e *audit.Entry) { e.Outcome, e.Reason = "failed", "unresolved" }, []string{"failed: the name has no address\n"}},
		{"tunneled", func(e *audit.Entry) { e.Outcome, e.Rule = "tunneled", "banks" }, []string{"not decrypted, by rule banks, "}},
		{"bad origin", func(e *audit.Entry) { e.TLSOrigin = &audit.OriginTLS{Verdict: "expired"} }, []string{"is not trusted: the origin's certificate has expired"}},
		{"bad origin, refused", func(e *audit.Entry) {
			e.Outcome, e.TLSOrigin, e.TLSClient = "failed", &audit.OriginTLS{Verdict: "self-signed"}, &audit.ClientTLS{Refusal: "unknown_ca"}
		}, []string{"the origin is not trusted: the origin's certificate is signed by itself; the client refused it"}},
		{"loss", func(e *audit.Entry) {
			e.Mirror = map[string]audit.Mirror{"a": {Lost: 2000, Reason: "link-down"}, "b": {Lost: 9, Reason: "no-reader"}}
		}, []string{"; recorders missed 2.0 kB\n"}},
		{"unknown word", func(e *audit.Entry) { e.Outcome, e.Reason = "failed", "martian" }, []string{"failed: martian\n"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := Line(entry(row.change))
			for _, want := range row.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in %q", want, got)
				}
			}
		})
	}
}

// TestHostile: nothing that comes from the network acts on the terminal.
func TestHostile(t *testing.T) {
	const attack = "\x1b]0;owned\x07\x1b[2J\r\n\u202eevil\u200b\x9b31m\xff"
	got := Line(entry(func(e *audit.Entry) {
		e.Host, e.Protocol, e.Rule, e.Learned, e.Outcome = attack, attack, attack, attack, "tunneled"
		e.HTTP = []facts.Exchange{{Method: attack, Host: attack, Path: attack, Type: attack}}
		e.Mail = []facts.Mail{{From: attack, To: []string{attack}, Subject: strings.Repeat(attack, 100)}}
		e.Transfers = []facts.Transfer{{Name: attack}}
		e.TLSOrigin = &audit.OriginTLS{Verdict: attack}
	}))
	if strings.ContainsAny(got, "\x1b\x07\r\u202e\u200b\u009b") || strings.Count(got, "\n") != 4 || len(got) > 4000 {
		t.Errorf("%d octets: %q", len(got), got)
	}
}

// slow is a terminal that takes nothing until it is let.
type slow struct {
	mu    sync.Mutex
	free  chan struct{}
	taken bytes.Buffer
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.free
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken.Write(p)
}

func (s *slow) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken.String()
}

// TestSlowTerminal: sessions do not wait for a terminal that hangs, and what it did
// not show is told when it goes on.
func TestSlowTerminal(t *testing.T) {
	out := &slow{free: make(chan struct{})}
	s := New(out)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	for range 10 * queue { // would hang
		s.Ended(*entry(nil))
	}
	close(out.free)
	for end := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), " more: clearspan sessions -f\n"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing is said of missed sessions:\n%s", out)
		}
	}
	stop()
	<-done
	if n := strings.Count(out.String(), "decrypted"); n == 0 || n > queue+rate {
		t.Errorf("%d sessions were shown", n)
	}
	var none *Screen
	none.Ended(*entry(nil))
	none.Say("nothing")
	none.Run(t.Context())
}

func TestSteps(t *testing.T) {
	addr := func(text string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(text)) }
	cfg, err := config.Quick{State: t.TempDir()}.Config(1000, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(Steps(Open{Config: cfg, Intakes: []net.Addr{addr("0.0.0.0:8080")}, Admin: addr("127.0.0.1:8090"), CA: "/s/ca.crt"}), "\n")
	for _, want := range []string{
		"127.0.0.1:8080 for HTTP", "http://clearspan.internal/", "curl --proxy http://127.0.0.1:8080 --cacert /s/ca.crt https://",
		"nc 127.0.0.1 57012 |", "captures ", "clearspan status", "http://127.0.0.1:8090/", "Ctrl-C",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	cfg.Intakes = []config.Intake{{Name: "gw", Mode: config.TProxy}, {Name: "fixed", Mode: config.Static}}
	cfg.Intakes[1].Static.Origin = "192.0.2.1:443"
	got = strings.Join(Steps(Open{Config: cfg, Intakes: []net.Addr{nil, addr("127.0.0.1:443")}, Publish: addr("[::]:8091"), CA: "/s/ca.crt"}), "\n")
	for _, want := range []string{"intake gw takes", "127.0.0.1:443 leads to 192.0.2.1:443", fmt.Sprintf("http://127.0.0.1:%d/ has", 8091)} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "curl") {
		t.Errorf("a command for a proxy that is not there:\n%s", got)
	}
}
