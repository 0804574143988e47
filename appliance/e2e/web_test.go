package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestHTTPS fetches pages by both versions of HTTP, TLS and IP, and has tshark
// read them from the recording.
func TestHTTPS(t *testing.T) {
	c := newScene(t, settings{})
	web := c.Nginx()
	page := c.Page(web, "page.bin", 300_000)
	const (
		byName = "https://" + webName
		byV4   = "https://" + lab.OriginV4
		byV6   = "https://[" + lab.OriginV6 + "]"
	)
	rows := []struct {
		name           string
		args           []string
		version        string
		client, origin string // versions of TLS
		sni            string
		port           uint16 // on the mirror
	}{
		{"HTTP/1.1", []string{"--http1.1", byName + "/page.bin"}, "1.1", "1.3", "1.3", webName, 443},
		{"HTTP/1.1, client has TLS 1.2", []string{"--http1.1", "--tls-max", "1.2", byName + "/page.bin"}, "1.1", "1.2", "1.3", webName, 443},
		{"HTTP/1.1, origin has TLS 1.2", []string{"--http1.1", byName + ":8443/page.bin"}, "1.1", "1.2", "1.2", webName, 8443},
		{"HTTP/1.1 only, at the origin", []string{"--http2", byName + ":9443/page.bin"}, "1.1", "1.3", "1.3", webName, 9443},
		{"HTTP/1.1 over IPv6", []string{"--http1.1", byV6 + "/page.bin"}, "1.1", "1.3", "1.3", "", 443},
		{"HTTP/2", []string{"--http2", byName + "/page.bin"}, "2", "1.3", "1.3", webName, 80},
		{"HTTP/2, client has TLS 1.2", []string{"--http2", "--tls-max", "1.2", byName + "/page.bin"}, "2", "1.2", "1.3", webName, 80},
		{"HTTP/2 by address", []string{"--http2", byV4 + "/page.bin"}, "2", "1.3", "1.3", "", 80},
		{"HTTP/2 over IPv6", []string{"--http2", byV6 + "/page.bin"}, "2", "1.3", "1.3", "", 80},
	}
	ports := make([]ends, len(rows))
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			x := c.In(t).Fetch(row.args...)
			ports[i] = x.Ends
			scenetest.Same(t, "client", x.Content, page)
			if x.Version != row.version || x.Status != "200" {
				t.Errorf("HTTP/%s, status %s", x.Version, x.Status)
			}
		})
	}
	recorded := c.Stop()

	h1, h2 := 0, 0
	entries := c.Entries()
	for i, row := range rows {
		if ports[i] == (ends{}) {
			continue // failed above
		}
		if row.version == "2" {
			h2++
		} else {
			h1++
		}
		e, alpn := c.EntryOf(entries, ports[i]), map[string]string{"1.1": "http/1.1", "2": "h2"}[row.version]
		got := []string{e.Outcome, e.Reason, e.Action, e.Rule, e.SNI, e.ALPN, e.TLSClient.Version, e.TLSOrigin.Version, e.TLSOrigin.Verdict}
		want := []string{"bumped", "", "bump", "default", row.sni, alpn, row.client, row.origin, "ok"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: entry (-want +got):\n%s", row.name, diff)
		}
		v := c.ConversationOf(recorded, ports[i])
		if v.Origin.Port() != row.port || !v.Ended || v.Reset {
			t.Errorf("%s: recorded on port %d, ended %t, reset %t", row.name, v.Origin.Port(), v.Ended, v.Reset)
		}
	}
	c.exported(h1, page)
	c.streamed(h2, page)
}

// exported wants n copies of the page among the HTTP/1.1 objects that tshark
// exports from the recording, and nothing else. The first octets of HTTP/2 count
// as an object there.
func (c *scene) exported(n int, page []byte) {
	c.Helper()
	objects, err := lab.ExportObjects(c.Ctx, c.Capture.File, "http", c.Directory("objects"))
	if err != nil {
		c.Error(err)
	}
	pages := 0
	for _, o := range objects {
		got, err := os.ReadFile(o)
		if err != nil {
			c.Error(err)
		}
		if !bytes.HasPrefix(got, []byte(http2.ClientPreface)) {
			pages++
			scenetest.Same(c, filepath.Base(o), got, page)
		}
	}
	if pages != n {
		c.Errorf("want %d pages, exported %v", n, objects)
	}
}

// streamed wants the page n times in HTTP/2 as tshark dissects it.
func (c *scene) streamed(n int, page []byte) {
	c.Helper()
	paths, err := lab.Fields(c.Ctx, c.Capture.File, `http2.headers.method == "GET"`, "tcp.dstport", "http2.headers.path")
	if err != nil {
		c.Error(err)
	}
	statuses, err := lab.Fields(c.Ctx, c.Capture.File, "http2.headers.status", "tcp.srcport", "http2.headers.status")
	if err != nil {
		c.Error(err)
	}
	var requests, answers [][]string
	for range n {
		requests = append(requests, []string{"80", "/page.bin"})
		answers = append(answers, []string{"80", "200"})
	}
	if diff := cmp.Diff(requests, paths) + cmp.Diff(answers, statuses); diff != "" {
		c.Errorf("HTTP/2 on the mirror (-want +got):\n%s", diff)
	}
	bodies, err := lab.HTTP2Bodies(c.Ctx, c.Capture.File)
	if err != nil || len(bodies) != n {
		c.Errorf("want %d contents over HTTP/2, got %d, %v", n, len(bodies), err)
	}
	for _, b := range bodies {
		scenetest.Same(c, "stream from "+b.From, b.Content, page)
	}
}
