package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// scripts is how many scripts the page of [scene.album] loads.
const scripts = 30

// album puts a page onto the web server whose body names every script that it
// loaded.
func (c *scene) album(web *lab.Web) {
	c.Helper()
	var page strings.Builder
	page.WriteString("<!doctype html><title>album</title><body>\n")
	for i := range scripts {
		fmt.Fprintf(&page, "<script src=\"object%d.js\"></script>\n", i)
		c.Write(filepath.Join(web.Root, fmt.Sprintf("object%d.js", i)),
			fmt.Appendf(nil, "document.body.append('[loaded %d]'); // %s\n", i, strings.Repeat("x", 1000*i)))
	}
	c.Write(filepath.Join(web.Root, "album.html"), []byte(page.String()))
}

// TestBrowser has Chromium load a page by HTTP/2, and one whose site announces
// QUIC, through a wire that refuses QUIC: it turns to TCP at once, trusts what is
// forged, and the recorder gets every object.
func TestBrowser(t *testing.T) {
	c := wireScene(t, "late", "{default: bump}", 0)
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.Cert},
		{Port: lab.HTTP1Port, Certificate: &c.Cert, HTTP1: true, AltSvc: `h3=":443"; ma=3600`},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Page(web, "page.bin", 1000) // fetched at the end, when nobody takes connections
	c.album(web)
	for _, site := range []string{webName, webName + ":9443"} {
		start := time.Now()
		document, err := lab.Chromium(c.Ctx, c.Client, t.TempDir(), c.CA, webName, lab.OriginV4, "https://"+site+"/album.html")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s loaded in %v", site, time.Since(start))
		for i := range scripts {
			if !strings.Contains(document, fmt.Sprintf("[loaded %d]", i)) {
				t.Errorf("%s: object %d was not loaded", site, i)
			}
		}
	}
	refused := 0
	for line := range strings.Lines(c.Clearspan("wire", "status")) {
		fmt.Sscanf(strings.TrimSpace(line), "quic-blocked %d", &refused)
	}
	if refused == 0 {
		t.Errorf("no datagram of QUIC was refused:\n%s", c.Clearspan("wire", "status"))
	}
	c.Stop()
	c.expectChromium("default", "bump", "quic-blocked")
	exported, err := lab.ExportObjects(c.Ctx, c.Capture.File, "http", c.Directory("scripts"))
	if err != nil || len(exported) < scripts+1 {
		t.Errorf("%d scripts over HTTP/1.1 at the recorder, %v", len(exported), err)
	}
	bodies, err := lab.HTTP2Bodies(c.Ctx, c.Capture.File)
	if err != nil || len(bodies) < scripts+1 {
		t.Errorf("%d scripts over HTTP/2 at the recorder, %v", len(bodies), err)
	}
}

// expectChromium judges the entries of the QUIC flows of a browser, all of which were
// refused for that reason.
func (c *scene) expectChromium(rule, action, reason string) {
	c.Helper()
	whole := 0
	for _, e := range c.QUICFlows() {
		if e.QUIC != nil && e.QUIC.Hello == "incomplete" && e.QUIC.Refused {
			continue // on a busy machine, its second datagram comes too late
		}
		whole++
		if e.SNI != webName || e.Protocol != "quic" || e.Rule != rule || e.Action != action || e.Reason != reason || e.Outcome != "terminated" ||
			e.CommunityID == "" || e.TLSClient == nil || !strings.HasPrefix(e.TLSClient.JA4, "q13d") || !strings.Contains(e.TLSClient.JA4, "h3_") ||
			e.QUIC == nil || e.QUIC.Hello != "whole" || e.QUIC.Version != "1" || !e.QUIC.Refused || e.QUIC.Datagrams == 0 {
			c.Errorf("QUIC flow %+v, %+v, %+v", e, e.TLSClient, e.QUIC)
			continue
		}
		c.Logf("QUIC flow of %d datagrams: %s", e.QUIC.Datagrams, e.TLSClient.JA4)
	}
	if whole == 0 {
		c.Error("no entry of a QUIC flow with a name")
	}
}

// TestBrowserRule has a rule refuse QUIC where it passes otherwise: the browser turns to
// TCP.
func TestBrowserRule(t *testing.T) {
	c := wireSceneWith(t, "late", "quic: pass", "{default: bump, rules: [{name: no-h3, host: ["+webName+"], protocol: [quic], action: terminate}]}", 0)
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.Cert},
		{Port: lab.HTTP1Port, Certificate: &c.Cert, HTTP1: true, AltSvc: `h3=":443"; ma=3600`},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Page(web, "page.bin", 1000)
	c.album(web)
	document, err := lab.Chromium(c.Ctx, c.Client, t.TempDir(), c.CA, webName, lab.OriginV4, "https://"+webName+":9443/album.html")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(document, "[loaded "); n != scripts {
		t.Errorf("%d objects of %d were loaded", n, scripts)
	}
	c.Stop()
	c.expectChromium("no-h3", "terminate", "policy")
}
