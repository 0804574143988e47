package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// ingress is a rule for what comes in at the device's port toward clients.
func ingress(rule string) string {
	return "table netdev ips {\nchain ingress {\ntype filter hook ingress device dev0 priority 0\ntcp dport 80 " + rule + "\n}\n}\n"
}

// bad matches a segment whose payload begins with "GET /bad", behind a header with
// time stamps.
const bad = "@th,256,64 0x474554202f626164 "

// TestInlineVerdict has bridges that drop, reset and change HTTP requests which
// begin with a pattern. What they do to a request in clear is done to its session,
// by both versions of IP; other sessions pass, and all is told in the audit trail
// and counted.
func TestInlineVerdict(t *testing.T) {
	for _, tt := range []struct {
		name, rule   string
		word, reason string
		fails        bool   // the client gets nothing
		gets         string // the page that it gets; empty: the one that it asked for
	}{
		// What a device swallows ends when nothing of it has been acknowledged for long.
		{name: "drop", rule: bad + "drop", word: "timed-out", reason: "inline-timeout", fails: true},
		{name: "reset", rule: bad + "reject with tcp reset", word: "reset", reason: "inline-reset", fails: true},
		// "/bad-1" becomes "/b-1ad": two words change places, which no checksum notices.
		{name: "rewrite", rule: bad + "@th,304,32 0x61642d31 @th,304,32 set 0x2d316164", word: "carried", gets: "b-1ad"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, d := deviceScene(t, "timeout: 1s, on_failure: open", func(d *device) {
				d.bridge()
				d.nft(ingress(tt.rule))
			}, settings{})
			web := c.Nginx()
			pages := map[string][]byte{}
			for _, name := range []string{"good", "bad-1", "b-1ad"} {
				pages[name] = c.Page(web, name, 20_000)
			}
			seen := d.record("dev0")
			for _, origin := range []string{lab.OriginV4, lab.OriginV6} {
				for _, name := range []string{"good", "bad-1"} {
					page, err := d.get(origin, name)
					want, fails := name, name == "bad-1" && tt.fails
					if name == "bad-1" && tt.gets != "" {
						want = tt.gets
					}
					if (err != nil) != fails {
						t.Errorf("%s of %s: %v", name, origin, err)
					}
					if !fails {
						scenetest.Same(t, name+" of "+origin, page, pages[want])
					}
				}
			}
			if _, err := seen.Stop(); err != nil {
				t.Error(err)
			}
			// Its recorder stands before the rule: what the client asked for is there.
			shown := make(map[string]bool)
			for _, r := range d.fields(seen, "http.request && tcp.dstport == 80", "http.request.uri") {
				shown[strings.Join(r, " ")] = true
			}
			for _, r := range [][]string{{lab.ClientV4, lab.OriginV4}, {lab.ClientV6, lab.OriginV6}} {
				for _, uri := range []string{"/good", "/bad-1"} {
					if want := strings.Join(append(slices.Clone(r), uri), " "); !shown[want] {
						t.Errorf("the device did not see %s, but %v", want, shown)
					}
				}
			}
			events := map[string]int{"carried": 2}
			events[tt.word] += 2
			scenetest.Eventually(t, "sessions ended", func() bool { return d.events(tt.word) == events[tt.word] })
			for _, event := range []string{"carried", "reset", "timed-out", "bypassed", "refused", "broken"} {
				if n := d.events(event); n != events[event] {
					t.Errorf("%d sessions are counted as %s, want %d", n, event, events[event])
				}
			}
			c.Stop()
			for _, e := range c.Entries() {
				word, reason := "carried", ""
				if len(e.HTTP) == 1 && e.HTTP[0].Path == "/bad-1" {
					word, reason = tt.word, tt.reason
				}
				if d.word(e) != word || e.Reason != reason || len(e.HTTP) != 1 {
					t.Errorf("session %s of %s: the device %q, reason %q, want %q and %q; %v", e.Session, e.Client, d.word(e), e.Reason, word, reason, e.HTTP)
				}
			}
			served := c.ReadFile(filepath.Join(web.Dir, "access.log"))
			if reached := strings.Contains(string(served), "/bad-1"); reached {
				t.Errorf("the request reached the origin:\n%s", served)
			}
		})
	}
}
