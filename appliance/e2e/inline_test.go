package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestInlineDevice sends web sessions through a bridge: it sees cleartext with the
// true addresses on the port of HTTP, and what it does is done to the session.
func TestInlineDevice(t *testing.T) {
	for _, how := range []string{"closed", "open"} {
		t.Run(how, func(t *testing.T) {
			c, d := deviceScene(t, "timeout: 1s, on_failure: "+how, (*device).bridge, settings{})
			web := c.Nginx()
			page := c.Page(web, "page", 200_000)
			seen := d.record("dev0")
			for _, args := range [][]string{
				{"--http1.1", "https://" + webName + "/page"}, {"--http1.1", "https://" + webName + ":8443/page"},
				{"--http2", "https://" + webName + "/page"}, {"--http1.1", "-g", "https://[" + lab.OriginV6 + "]/page"},
			} {
				x := c.Fetch(args...)
				scenetest.Same(t, strings.Join(args, " "), x.Content, page)
			}
			scenetest.Eventually(t, "sessions ended", func() bool {
				return d.events("carried") == 4
			})
			// The device dies.
			d.run("ip", "link", "set", "dev", "dev0", "nomaster")
			d.run("ip", "link", "set", "dev", "dev1", "down")
			r, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(webName, lab.OriginV4), "--max-time", "10", "-o", "/dev/null", "https://"+webName+"/page")...)
			if (err == nil) != (how == "open") {
				t.Errorf("without a device: %v %s", err, r.Stderr)
			}
			if _, err := seen.Stop(); err != nil {
				t.Error(err)
			}
			// HTTP/1.1 to port 443, by both versions of IP, on the port of HTTP.
			requests := d.fields(seen, "http.request && tcp.dstport == 80", "http.request.uri")
			for _, want := range [][]string{{lab.ClientV4, lab.OriginV4, "/page"}, {lab.ClientV6, lab.OriginV6, "/page"}} {
				shown := 0
				for _, r := range requests {
					if slices.Equal(r, want) {
						shown++
					}
				}
				if shown != 1 {
					t.Errorf("the device saw %q, want %q once", requests, want)
				}
			}
			c.Stop()
			words := d.words(c.Entries())
			want := map[string]string{"open": "bypassed", "closed": "refused"}[how]
			if words["carried"] != 4 || words[want] != 1 {
				t.Errorf("entries say %v", words)
			}
		})
	}
}
