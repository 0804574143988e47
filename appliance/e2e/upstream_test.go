package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestUpstream reaches origins by way of other proxies: an HTTP proxy for all, and a SOCKS5
// proxy that a rule names. Clients connect to the explicit proxy in the clear and by TLS.
func TestUpstream(t *testing.T) {
	const (
		far      = "far.example.test" // only the HTTP proxy knows its address
		http     = "http://" + lab.OriginV4 + ":8888"
		socks    = "socks5://" + lab.OriginV4 + ":1080"
		user     = "box"
		password = "p-w.rd"
	)
	c := newScene(t, settings{
		Intake: `{name: proxy, mode: explicit, listen: ":3128", from: ` + labClients + `}
  - {name: secured, mode: explicit, listen: ":3129", from: ` + labClients + `, certificate: proxy.crt, key: proxy.key}
  - {name: fixed, mode: static, listen: ":10443", origin: "` + lab.OriginV4 + `:443", sni: ` + webName + `}
  - ` + everyPort,
		Origin: `proxy: "` + http + `", proxy_credentials: credentials, no_proxy: ["` + lab.OriginV6 + `"]`,
		Policy: `{rules: [
    {name: socks, port: [8443], action: bump, proxy: "socks5://` + user + `:p-w.rd@` + lab.OriginV4 + `:1080"},
    {name: wrong, port: [8444], action: bump, proxy: "http://nobody:x@` + lab.OriginV4 + `:8888"},
    {name: near, port: [8445], action: bump, proxy: direct}]}`,
		Prepare: prepared(func(c *scene) {
			own, err := c.PKI.Issue(lab.BoxLANV4)
			if err != nil {
				c.Fatal(err)
			}
			c.Write(filepath.Join(c.Dir, "proxy.crt"), c.ReadFile(own.CertFile))
			c.Write(filepath.Join(c.Dir, "proxy.key"), c.ReadFile(own.KeyFile))
			if err := os.WriteFile(filepath.Join(c.Dir, "credentials"), []byte(user+":"+password+"\n"), 0o600); err != nil {
				c.Fatal(err)
			}
		}),
	})
	cert, err := c.PKI.Issue(webName, far, lab.OriginV4, lab.OriginV6)
	if err != nil {
		t.Fatal(err)
	}
	sites := []lab.Site{{Port: 443, Certificate: &cert}, {Port: 8443, Certificate: &cert}, {Port: 8444, Certificate: &cert}, {Port: 8445, Certificate: &cert}, {Port: 8081}}
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), sites)
	if err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page.bin", 50_000)
	if _, err := lab.StartTinyproxy(c.Origin, c.Directory("tinyproxy"), 8888, user, password, "127.0.0.1 "+far+"\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartMicrosocks(c.Origin, c.Directory("microsocks"), 1080, user, password); err != nil {
		t.Fatal(err)
	}
	const plain, secured = "http://" + lab.BoxLANV4 + ":3128", "https://" + lab.BoxLANV4 + ":3129"
	rows := []struct {
		name, upstream, origin string
		args                   []string
	}{
		{"CONNECT, address", http, lab.OriginV4 + ":443", []string{"-x", plain, "https://" + lab.OriginV4 + "/page.bin"}},
		{"CONNECT, name that only the proxy knows", http, lab.OriginV4 + ":443", []string{"-x", plain, "https://" + far + "/page.bin"}},
		{"CONNECT by TLS", http, lab.OriginV4 + ":443", []string{"-x", secured, "--proxy-cacert", c.PKI.RootFile, "https://" + far + "/page.bin"}},
		{"absolute form by TLS", http, lab.OriginV4 + ":8081", []string{"-x", secured, "--proxy-cacert", c.PKI.RootFile, "http://" + far + ":8081/page.bin"}},
		{"SOCKS5", http, lab.OriginV4 + ":443", []string{"--socks5-hostname", lab.BoxLANV4 + ":3128", "https://" + far + "/page.bin"}},
		{"exception", "", "[" + lab.OriginV6 + "]:443", []string{"-x", plain, "https://[" + lab.OriginV6 + "]/page.bin"}},
		{"rule with SOCKS5", socks, lab.OriginV4 + ":8443", []string{"-x", plain, "https://" + lab.OriginV4 + ":8443/page.bin"}},
		{"rule without a proxy", "", lab.OriginV4 + ":8445", []string{"-x", plain, "https://" + lab.OriginV4 + ":8445/page.bin"}},
		{"static", http, lab.OriginV4 + ":443", []string{"--connect-to", webName + "::" + lab.BoxLANV4 + ":10443", "https://" + webName + "/page.bin"}},
		{"routed", http, lab.OriginV4 + ":443", []string{"https://" + lab.OriginV4 + "/page.bin"}},
	}
	ports := make([]ends, len(rows))
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			x := c.In(t).Fetch(append([]string{"--http1.1"}, row.args...)...)
			ports[i] = x.Ends
			scenetest.Same(t, "client", x.Content, page)
		})
	}
	t.Run("proxy refuses", func(t *testing.T) {
		if r, err := lab.Curl(c.Ctx, c.Client, c.CA, "-x", plain, "https://"+lab.OriginV4+":8444/page.bin"); err == nil {
			t.Errorf("answered: %.100q", r.Stdout)
		}
	})
	if t.Failed() {
		return
	}
	c.Stop()
	entries := c.Entries()
	for i, row := range rows {
		e := c.EntryOf(entries, ports[i])
		if e.Upstream != row.upstream || scenetest.Unmapped(e.Origin).String() != row.origin || e.Reason != "" {
			t.Errorf("%s: entry says upstream %q, origin %v, reason %q", row.name, e.Upstream, e.Origin, e.Reason)
		}
	}
	for _, e := range entries {
		if e.Rule == "wrong" && e.Reason != "upstream" {
			t.Errorf("refused by the proxy: reason %q", e.Reason)
		}
	}
	if log := c.Appliance.Log(); strings.Contains(log, password) {
		t.Error("the log holds the password")
	}
}
