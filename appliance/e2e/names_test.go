package e2e

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestNameServer has dig get its answers from NSD through the appliance.
func TestNameServer(t *testing.T) {
	const hidden = "hidden.example.test"
	list, _, err := lab.NewECH(webName)
	if err != nil {
		t.Fatal(err)
	}
	var records []string
	for i := range 60 {
		records = append(records, fmt.Sprintf("long IN TXT \"%d %s\"", i, strings.Repeat("x", 40)))
	}
	records = append(records, fmt.Sprintf("hidden IN HTTPS 1 . alpn=h2 ech=%s ipv4hint=%s", base64.StdEncoding.EncodeToString(list), lab.OriginV4),
		"hidden IN A "+lab.OriginV4)
	names := func(name, listen, strip string) string {
		return fmt.Sprintf(`{name: %s, mode: dns, listen: "%s:53", upstream: %s, from: [198.51.100.0/24, "2001:db8:51::/64"], strip: %s}`, name, listen, lab.OriginV4, strip)
	}
	c := newScene(t, settings{
		Intake: everyPort + "\n  - " + names("names", lab.BoxLANV4, "ech") + "\n  - " + names("bare", "["+lab.BoxLANV6+"]", "records"),
		Prepare: prepared(func(c *scene) {
			server, err := lab.StartNSD(c.Origin, c.Directory("nsd"), domain, records...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { server.Stop() })
		}),
	})
	dig := func(args ...string) string {
		t.Helper()
		r, err := lab.Run(c.Ctx, c.Client, "", "dig", append([]string{"+tries=1", "+time=10"}, args...)...)
		if err != nil {
			t.Errorf("dig %v: %v\n%s", args, err, r.Stdout)
		}
		return r.Stdout
	}
	direct := dig("@"+lab.OriginV4, "+short", hidden, "HTTPS")
	if !strings.Contains(direct, " ech=") {
		t.Fatalf("the server's own answer: %s", direct)
	}
	want := strings.Join(slices.DeleteFunc(strings.Fields(direct), func(f string) bool { return strings.HasPrefix(f, "ech=") }), " ")
	for _, how := range []string{"+notcp", "+tcp", "+dnssec", "+noedns"} {
		if got := strings.Join(strings.Fields(dig("@"+lab.BoxLANV4, how, "+short", hidden, "HTTPS")), " "); got != want {
			t.Errorf("%s: %q, want %q", how, got, want)
		}
	}
	if got := dig("@"+lab.BoxLANV6, "+short", hidden, "HTTPS"); got != "" {
		t.Errorf("records are not taken away: %s", got)
	}
	if got := dig("@"+lab.BoxLANV4, "+short", hidden, "A"); strings.TrimSpace(got) != lab.OriginV4 {
		t.Errorf("address: %q", got)
	}
	if got := dig("@"+lab.BoxLANV4, "+ignore", "+noedns", "long.example.test", "TXT"); !strings.Contains(got, "flags: qr aa tc") {
		t.Errorf("not truncated:\n%s", got)
	}
	if got := dig("@"+lab.BoxLANV4, "+noedns", "+short", "long.example.test", "TXT"); strings.Count(got, "\n") < 60 {
		t.Errorf("by TCP: %d lines\n%s", strings.Count(got, "\n"), got)
	}
	if got := dig("@"+lab.BoxLANV4, "none.example.test", "A"); !strings.Contains(got, "NXDOMAIN") {
		t.Errorf("unknown name:\n%s", got)
	}
	if r, err := lab.Run(c.Ctx, c.Origin, "", "dig", "+tries=1", "+time=1", "@"+lab.BoxLANV4, hidden, "HTTPS"); err == nil {
		t.Errorf("answered to the other side: %s", r.Stdout)
	}
	m := c.Metrics()
	if m["clearspan_dns_stripped_total"] != 5 || m["clearspan_dns_failed_total"] != 0 || m["clearspan_dns_refused_total"] != 1 || m["clearspan_dns_passed_total"] < 4 {
		t.Errorf("counted %v stripped, %v failed, %v refused, %v passed", m["clearspan_dns_stripped_total"], m["clearspan_dns_failed_total"],
			m["clearspan_dns_refused_total"], m["clearspan_dns_passed_total"])
	}
	c.Stop()
}
