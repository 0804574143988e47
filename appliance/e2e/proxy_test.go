package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

const proxyPort = "3128"

// labClients are the networks of the scenes' clients, which are not private.
const labClients = `[198.51.100.0/24, "2001:db8:51::/48"]`

// TestProxy uses the appliance as a proxy that clients know: by CONNECT, SOCKS5
// and absolute-form requests on one port.
func TestProxy(t *testing.T) {
	c := newScene(t, settings{Intake: `{name: proxy, mode: explicit, listen: ":` + proxyPort + `", from: ` + labClients + `}`})
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), append(lab.Sites(c.Cert), lab.Site{Port: 8081}))
	if err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page.bin", 50_000)
	const (
		proxy  = lab.BoxLANV4 + ":" + proxyPort
		proxy6 = "[" + lab.BoxLANV6 + "]:" + proxyPort
		v4, v6 = lab.OriginV4, "[" + lab.OriginV6 + "]"
	)
	rows := []struct {
		name    string
		args    []string
		version string
		tls     bool
		origin  string // on the mirror
	}{
		{"CONNECT, HTTP/1.1", []string{"-x", "http://" + proxy, "--http1.1", "https://" + webName + "/page.bin"}, "1.1", true, v4 + ":443"},
		{"CONNECT, HTTP/2", []string{"-x", "http://" + proxy, "--http2", "https://" + webName + "/page.bin"}, "2", true, v4 + ":80"},
		{"CONNECT, address", []string{"-x", "http://" + proxy, "--http1.1", "https://" + v4 + "/page.bin"}, "1.1", true, v4 + ":443"},
		{"CONNECT, IPv6 throughout", []string{"-x", "http://" + proxy6, "--http1.1", "https://" + v6 + "/page.bin"}, "1.1", true, v6 + ":443"},
		{"CONNECT, IPv6 at the origin only", []string{"-x", "http://" + proxy, "--http1.1", "https://" + v6 + "/page.bin"}, "1.1", true, v6 + ":443"},
		{"CONNECT, plain", []string{"-x", "http://" + proxy, "--proxytunnel", "http://" + v4 + ":8081/page.bin"}, "1.1", false, v4 + ":8081"},
		{"SOCKS5, name", []string{"--socks5-hostname", proxy, "--http1.1", "https://" + webName + "/page.bin"}, "1.1", true, v4 + ":443"},
		{"SOCKS5, HTTP/2", []string{"--socks5-hostname", proxy, "--http2", "https://" + webName + "/page.bin"}, "2", true, v4 + ":80"},
		{"SOCKS5, address", []string{"--socks5", proxy, "--http1.1", "https://" + v4 + "/page.bin"}, "1.1", true, v4 + ":443"},
		{"SOCKS5, IPv6", []string{"--socks5", proxy, "--http1.1", "https://" + v6 + "/page.bin"}, "1.1", true, v6 + ":443"},
		{"SOCKS5, plain", []string{"--socks5", proxy, "http://" + v4 + ":8081/page.bin"}, "1.1", false, v4 + ":8081"},
		{"absolute form", []string{"-x", "http://" + proxy, "http://" + v4 + "/page.bin"}, "1.1", false, v4 + ":80"},
	}
	ports := make([]ends, len(rows))
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			x := c.In(t).Fetch(row.args...)
			ports[i] = x.Ends
			scenetest.Same(t, "client", x.Content, page)
			if x.Version != row.version {
				t.Errorf("HTTP/%s", x.Version)
			}
		})
	}
	var several ends
	t.Run("several origins on one connection", func(t *testing.T) { several = c.In(t).several("http://"+proxy, page) })
	t.Run("own listeners", func(t *testing.T) { c.In(t).forbidden(proxy) })
	if t.Failed() {
		return
	}
	recorded := c.Stop()
	entries := c.Entries()

	for _, v := range recorded {
		if s := string(v.Streams[0]); !strings.HasPrefix(s, "GET /page.bin") && !strings.HasPrefix(s, "PRI * HTTP/2.0") {
			t.Errorf("conversation begins with %.100q", s)
		}
	}
	for i, row := range rows {
		e, v := c.EntryOf(entries, ports[i]), c.ConversationOf(recorded, ports[i])
		outcome := "plain"
		if row.tls {
			outcome = "bumped"
		}
		if e.Intake != "proxy" || e.Outcome != outcome || e.Reason != "" || (e.TLSOrigin != nil) != row.tls {
			t.Errorf("%s: %+v", row.name, e)
		}
		if got := scenetest.Unmapped(v.Origin); got != netip.MustParseAddrPort(row.origin) {
			t.Errorf("%s: recorded as to %v", row.name, got)
		}
	}
	// One conversation for each origin, as if the client had gone there itself.
	got := make(map[string]int)
	for _, v := range recorded {
		if v.Client.Port() == several.Client {
			got[scenetest.Unmapped(v.Origin).String()] += requests(v)
		}
	}
	want := map[string]int{v4 + ":80": 2, v4 + ":8081": 1, v6 + ":80": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests of one client connection by origin (-want +got):\n%s", diff)
	}
	if n := len(recorded); n != len(rows)+len(want) {
		t.Errorf("%d conversations", n)
	}
}

// requests counts those in a conversation.
func requests(v mirrortest.Conversation) int { return strings.Count(string(v.Streams[0]), "GET /") }

// several asks four times, three origins, over one connection to the proxy, and
// returns its port.
func (c *scene) several(proxy string, page []byte) ends {
	c.Helper()
	dir := c.TempDir()
	args := []string{"-x", proxy, "--write-out", "%{local_port} %{num_connects} "}
	for i, origin := range []string{lab.OriginV4, "[" + lab.OriginV6 + "]", lab.OriginV4 + ":8081", lab.OriginV4} {
		args = append(args, "http://"+origin+"/page.bin", "--output", filepath.Join(dir, fmt.Sprint(i)))
	}
	r, err := lab.Curl(c.Ctx, c.Client, c.CA, args...)
	if err != nil {
		c.Fatal(err)
	}
	var port ends
	var fresh [4]int
	fmt.Sscan(r.Stdout, &port.Client, &fresh[0], &port.Client, &fresh[1], &port.Client, &fresh[2], &port.Client, &fresh[3])
	if fresh != [4]int{1, 0, 0, 0} {
		c.Errorf("not on one connection: %q", r.Stdout)
	}
	for i := range fresh {
		scenetest.Same(c, fmt.Sprintf("answer %d", i), c.ReadFile(filepath.Join(dir, fmt.Sprint(i))), page)
	}
	return port
}

// forbidden tries to reach the appliance's own listeners through the proxy.
func (c *scene) forbidden(proxy string) {
	c.Helper()
	for _, own := range []string{
		"127.0.0.1:8090", "localhost:8090", "[::1]:8090", "[::ffff:127.0.0.1]:8090", "127.1.2.3:8090", "0.0.0.0:8090",
		lab.BoxLANV4 + ":8090", lab.BoxWANV4 + ":8090",
		"127.0.0.1:" + proxyPort, lab.BoxLANV4 + ":" + proxyPort, "[" + lab.BoxWANV6 + "]:" + proxyPort,
	} {
		for _, args := range [][]string{
			{"-x", "http://" + proxy, "--write-out", "%{response_code}", "--output", "/dev/null"},
			{"-x", "http://" + proxy, "--proxytunnel", "--write-out", "%{http_connect}"},
		} {
			r, _ := lab.Curl(c.Ctx, c.Client, c.CA, append(args, "http://"+own+"/metrics")...)
			if r.Stdout != "403" {
				c.Errorf("%v to %s: status %q, %s", args, own, r.Stdout, r.Stderr)
			}
		}
		// Reply 2 of RFC 1928, Section 6: connection not allowed by ruleset.
		if r := c.refused(c.CA, "--socks5-hostname", proxy, "http://"+own+"/metrics"); !strings.Contains(r.Stderr, "(2)") {
			c.Errorf("SOCKS5 to %s: %s", own, r.Stderr)
		}
	}
}
