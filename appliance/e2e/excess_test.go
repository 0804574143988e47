package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// peakMemory is the most that a process has had in memory, in octets.
func (c *scene) peakMemory() int64 {
	c.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Appliance.Worker()))
	if err != nil {
		c.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		c.Fatalf("no peak in %s", status)
	}
	n, _ := strconv.ParseInt(string(m[1]), 10, 64)
	return n << 10
}

// fiftyMB answers every request with 50 MB, with or without saying so in advance.
func fiftyMB(w http.ResponseWriter, r *http.Request) {
	block := make([]byte, 1_000_000)
	if r.URL.Path == "/announced" {
		w.Header().Set("Content-Length", "50000000")
	}
	for range 50 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// TestExcessiveOrigins meets origins whose certificates, lists and responses are far
// too many or too large, several clients at once: each is refused for a reason that
// says so, in bounded time and memory, and the appliance goes on.
func TestExcessiveOrigins(t *testing.T) {
	const first, atOnce = 7101, 8
	root := newIssuer(t, "Root of excess")
	c := newScene(t, settings{
		Plain:   true,
		Origin:  "revocation: {mode: hard, timeout: 20s}, on_invalid: {default: untrusted, malformed: untrusted}",
		Prepare: prepared(func(c *scene) { root.trust(c.PKI.RootFile) }),
	})
	l, err := c.Origin.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.HandlerFunc(fiftyMB)}
	go web.Serve(l)
	t.Cleanup(func() { web.Close() })

	leaf := func(by *issuer, n int, edits ...edit) tls.Certificate {
		return by.issue(ecdsaKey(t), append([]edit{names(fmt.Sprintf("o%d.example.test", first+n))}, edits...)...)
	}
	tower := func(n, floors int) tls.Certificate {
		by, above := root, [][]byte(nil)
		for i := range floors {
			by = by.below(fmt.Sprintf("Floor %d", i))
			above = append(above, by.cert.Raw)
		}
		slices.Reverse(above)
		chain := leaf(by, n)
		chain.Certificate = append(chain.Certificate, above...)
		return chain
	}
	manyNames := func(c *x509.Certificate) {
		for i := range 19_999 {
			c.DNSNames = append(c.DNSNames, fmt.Sprintf("h%d.test", i))
		}
	}
	asks := func(path string) edit {
		return func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(60 * day)
			if path == "/ocsp" {
				c.OCSPServer = []string{"http://" + lab.OriginV4 + path}
			} else {
				c.CRLDistributionPoints = []string{"http://" + lab.OriginV4 + path}
			}
		}
	}
	large := leaf(root, 3)
	large.Certificate = append(large.Certificate, make([]byte, 300<<10))
	rows := []struct {
		name, outcome, verdict, finding string
		chain                           tls.Certificate
		most                            int64 // octets that the peak of memory may grow by
	}{
		{"twenty thousand names", "bumped", "malformed", "20000 names, want at most 10000", leaf(root, 0, manyNames), 64 << 20},
		{"a hundred intermediates", "bumped", "malformed", "101 certificates presented, want at most 64", tower(1, 100), 64 << 20},
		{"a path of forty", "bumped", "constraint", "path of 42 certificates, want at most 10", tower(2, 40), 64 << 20},
		{"300 KiB of certificates", "failed", "malformed", "exceeds maximum", large, 64 << 20},
		{"a list of 50 MB, announced", "bumped", "revocation-unknown", "answer too long", leaf(root, 4, asks("/announced")), 64 << 20},
		{"a list of 50 MB", "bumped", "revocation-unknown", "answer too long", leaf(root, 5, asks("/list")), 128 << 20},
		{"a response of 50 MB", "bumped", "revocation-unknown", "answer too long", leaf(root, 6, asks("/ocsp")), 64 << 20},
	}
	good := first + len(rows)
	for i, row := range rows {
		c.Listen(first+i, c.Echo(&tls.Config{Certificates: []tls.Certificate{row.chain}}))
	}
	c.Listen(good, c.Echo(&tls.Config{Certificates: []tls.Certificate{leaf(root, len(rows))}}))
	wellServed := func() {
		t.Helper()
		if s := c.look(good, fmt.Sprintf("o%d.example.test", good)); s.err != nil || !c.signed(s, c.CA) {
			t.Errorf("good origin: %v", s.err)
		}
	}
	wellServed()
	met := make([]map[ends]bool, len(rows))
	for i, row := range rows {
		before := c.peakMemory()
		var mu sync.Mutex
		var wg sync.WaitGroup
		met[i] = make(map[ends]bool)
		for range atOnce {
			conn := c.Dial(first + i)
			wg.Go(func() {
				s := c.lookBy(conn, fmt.Sprintf("o%d.example.test", first+i))
				if c.signed(s, c.CA) || (s.err == nil) != (row.outcome == "bumped") {
					t.Errorf("%s: trusted, or %v", row.name, s.err)
				}
				mu.Lock()
				defer mu.Unlock()
				met[i][s.port] = true
			})
		}
		wg.Wait()
		grown := c.peakMemory() - before
		t.Logf("%s: peak grown by %d KiB to %d KiB", row.name, grown>>10, (before+grown)>>10)
		if grown > row.most {
			t.Errorf("%s: peak of memory grown by %d octets, want at most %d", row.name, grown, row.most)
		}
	}
	wellServed()
	c.Stop()
	entries := c.Entries()
	for i, row := range rows {
		for port := range met[i] {
			if e := c.EntryOf(entries, port); e.Outcome != row.outcome || e.TLSOrigin.Verdict != row.verdict || !strings.Contains(e.TLSOrigin.Finding, row.finding) {
				t.Errorf("%s: %s, %+v", row.name, e.Outcome, *e.TLSOrigin)
			}
		}
		if len(met[i]) != atOnce {
			t.Errorf("%s: %d sessions", row.name, len(met[i]))
		}
	}
}
