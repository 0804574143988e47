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
	exported, err := lab.ExportObjects(c.Ctx, c.Capture.File, "http", c.Directory("scripts"))
	if err != nil || len(exported) < scripts+1 {
		t.Errorf("%d scripts over HTTP/1.1 at the recorder, %v", len(exported), err)
	}
	bodies, err := lab.HTTP2Bodies(c.Ctx, c.Capture.File)
	if err != nil || len(bodies) < scripts+1 {
		t.Errorf("%d scripts over HTTP/2 at the recorder, %v", len(bodies), err)
	}
}
