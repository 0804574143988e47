package e2e

import (
	"slices"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestInlineRouter sends sessions through a device that routes and rejects: it is
// reached by its own address, found to be at work by connections between the legs,
// and sees a hop in between.
func TestInlineRouter(t *testing.T) {
	c, d := deviceScene(t, "timeout: 5s, on_failure: closed, probe: 1h, "+hops, func(d *device) {
		d.router()
		d.nft("table inet ips {\nchain forward {\ntype filter hook forward priority 0\ntcp dport 80 " + bad + "reject with tcp reset\n}\n}\n")
	}, settings{})
	scenetest.Eventually(t, "a connection comes through", func() bool { return d.events("probe-ok") > 0 })
	web := c.Nginx()
	good, _ := c.Page(web, "good", 200_000), c.Page(web, "bad", 10)
	seen := d.record("dev1")
	for _, origin := range []string{lab.OriginV4, lab.OriginV6} {
		page, err := d.get(origin, "good")
		if err != nil {
			t.Errorf("good of %s: %v", origin, err)
		}
		scenetest.Same(t, "good of "+origin, page, good)
		if _, err := d.get(origin, "bad"); err == nil {
			t.Errorf("the device let bad of %s pass", origin)
		}
	}
	scenetest.Eventually(t, "sessions ended", func() bool { return d.events("carried") == 2 && d.events("reset") == 2 })
	if n := d.events("probe-failed"); n > 0 {
		t.Errorf("%d connections between the legs did not come through", n)
	}
	if _, err := seen.Stop(); err != nil {
		t.Error(err)
	}
	requests := d.fields(seen, "http.request && tcp.dstport == 80", "ip.ttl", "ipv6.hlim", "http.request.uri")
	want := [][]string{{lab.ClientV4, lab.OriginV4, "63", "", "/good"}, {lab.ClientV6, lab.OriginV6, "", "63", "/good"}}
	if !slices.EqualFunc(requests, want, slices.Equal) {
		t.Errorf("behind the device are requests %q, want %q", requests, want)
	}
	c.Stop()
	if words := d.words(c.Entries()); words["carried"] != 2 || words["reset"] != 2 {
		t.Errorf("entries say %v", words)
	}
}
