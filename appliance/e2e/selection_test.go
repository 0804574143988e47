package e2e

import (
	"crypto/tls"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestRulesChooseMirrors has sessions that their rules show on one mirror or
// another, in part, or nowhere.
func TestRulesChooseMirrors(t *testing.T) {
	c := newScene(t, settings{
		Policy: `
  default: bump
  mirror: [recorder, files]
  rules:
    - {name: filed, port: [8443], action: bump, mirror: files}
    - {name: hidden, port: [9443], action: bump, mirror: []}
    - {name: raw, port: [443], action: tunnel, mirror: [all-of-it]}
    - {name: unseen, port: [7443], action: tunnel, mirror: none}
    - {name: plain, port: [80], action: bump, mirror: all, content: decrypted}`,
		Mirror: "  - {name: all-of-it, kind: pcapng, directory: all, content: [decrypted, plain, tunneled]}",
	})
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), append(lab.Sites(c.Cert),
		lab.Site{Port: 7443, Certificate: &c.Cert}, lab.Site{Port: 6443, Certificate: &c.Cert}))
	if err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page", 40_000)
	type shown map[string]bool // by mirror; absent: not accounted for
	ports := make(map[ends]shown)
	for _, row := range []struct {
		url  string
		root bool // the client trusts the origin's own authority
		want shown
	}{
		{"https://" + webName + ":6443/page", false, shown{"recorder": true, "files": true, "all-of-it": false}},
		{"https://" + webName + ":8443/page", false, shown{"recorder": false, "files": true, "all-of-it": false}},
		{"https://" + webName + ":9443/page", false, shown{"recorder": false, "files": false, "all-of-it": false}},
		{"https://" + webName + "/page", true, shown{"all-of-it": true}},
		{"https://" + webName + ":7443/page", true, shown{"all-of-it": false}},
		{"http://" + webName + "/page", false, shown{"recorder": false, "files": false, "all-of-it": false}},
	} {
		d := c.In(t)
		if row.root {
			d.CA = c.PKI.RootFile
		}
		x := d.Fetch(row.url)
		scenetest.Same(t, row.url, x.Content, page)
		ports[x.Ends] = row.want
	}
	c.Stop()
	var all []mirrortest.Conversation
	files, _ := filepath.Glob(filepath.Join(c.Dir, "state", "all", "*.pcapng"))
	for _, file := range files {
		all = append(all, c.ReadCapture(file)...)
	}
	c.Account("all-of-it", all)
	if len(all) != 1 {
		t.Errorf("%d conversations on all-of-it, want that of rule raw", len(all))
	}
	for _, e := range c.Entries() {
		want := ports[e.Ends()]
		relayed := e.Octets["client_to_origin"] + e.Octets["origin_to_client"]
		if len(e.Mirror) != len(want) || relayed < uint64(len(page)) {
			t.Errorf("rule %s: %d octets, mirrors %+v, want %v", e.Rule, relayed, e.Mirror, want)
		}
		for name, m := range e.Mirror {
			if visible, known := want[name]; !known || visible != (m.Octets == relayed && m.Lost == 0 && m.Reason == "") ||
				visible == (m.Octets == 0 && m.Lost == relayed && m.Reason == "unselected") {
				t.Errorf("rule %s: %d octets, %s has %+v, want it to show them: %t", e.Rule, relayed, name, m, visible)
			}
		}
	}
}

// TestNarrowedOffer has origins that are offered HTTP/1.1 only: one that speaks
// it, and one that refuses.
func TestNarrowedOffer(t *testing.T) {
	c := newScene(t, settings{Origin: "alpn_offer: [http/1.1]",
		Policy: `{default: bump, rules: [{name: both, port: [8443], action: bump, alpn_offer: [http/1.1, h2]}]}`})
	web := c.Nginx()
	page := c.Page(web, "page", 40_000)
	var hellos [][]string // what the origin was offered
	offered := make(chan []string, 16)
	config := &tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}, NextProtos: []string{"h2"}}
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered <- slices.Clone(hello.SupportedProtos)
		if slices.Contains(hello.SupportedProtos, "h2") {
			return nil, nil
		}
		refusing := config.Clone()
		refusing.NextProtos = []string{"none-of-yours"} // crypto/tls would take HTTP/1.1 for h2 in silence
		return refusing, nil
	}
	listener, err := c.Origin.Listen("tcp", ":5443")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: content(page)}
	go server.Serve(tls.NewListener(listener, config))
	t.Cleanup(func() { server.Close() })
	ports := make(map[ends][2]string) // protocol and offer in the entry
	for _, row := range []struct {
		url, version string
		entry        [2]string
	}{
		{"https://" + webName + "/page", "1.1", [2]string{"http/1.1", "narrowed"}},
		{"https://" + webName + ":8443/page", "2", [2]string{"h2", ""}},
		{"https://" + webName + ":5443/page", "2", [2]string{"h2", "retried"}},
		{"https://" + webName + ":5443/page", "2", [2]string{"h2", "remembered"}},
	} {
		x := c.Fetch("--http2", row.url)
		scenetest.Same(t, row.url, x.Content, page)
		if x.Version != row.version || x.Status != "200" {
			t.Errorf("%s: HTTP/%s, status %s", row.url, x.Version, x.Status)
		}
		ports[x.Ends] = row.entry
	}
	c.Stop()
	close(offered)
	for protocols := range offered {
		hellos = append(hellos, protocols)
	}
	if len(hellos) != 3 || !slices.Equal(hellos[0], []string{"http/1.1"}) || !slices.Contains(hellos[1], "h2") || !slices.Contains(hellos[2], "h2") {
		t.Errorf("the origin that refuses was offered %q", hellos)
	}
	for _, e := range c.Entries() {
		if got := [2]string{e.ALPN, e.Offer}; got != ports[e.Ends()] || e.Outcome != "bumped" {
			t.Errorf("entry has %q, want %q: %+v", got, ports[e.Ends()], e)
		}
	}
}

// content answers every request with the same octets.
type content []byte

func (p content) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.Write(p) }
