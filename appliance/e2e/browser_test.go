package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// objects is how many scripts the page of [scene.album] loads.
const objects = 30

// album puts a page onto the web server whose body names every script that it
// loaded.
func (c *scene) album(web *lab.Web) {
	c.Helper()
	var page strings.Builder
	page.WriteString("<!doctype html><title>album</title><body>\n")
	for i := range objects {
		fmt.Fprintf(&page, "<script src=\"object%d.js\"></script>\n", i)
		c.write(filepath.Join(web.Root, fmt.Sprintf("object%d.js", i)),
			fmt.Appendf(nil, "document.body.append('[loaded %d]'); // %s\n", i, strings.Repeat("x", 1000*i)))
	}
	c.write(filepath.Join(web.Root, "album.html"), []byte(page.String()))
}

// browse has Chromium load a page in the client's namespace, by a fresh profile
// that trusts the authorities of a PEM file, and returns the document as it stands
// then. Names are all the origin's.
func (c *scene) browse(ca, url string, flags ...string) (document string, err error) {
	c.Helper()
	home := c.TempDir()
	db := filepath.Join(home, ".pki", "nssdb")
	for _, command := range [][]string{
		{"mkdir", "-p", db},
		{"certutil", "-d", "sql:" + db, "-N", "--empty-password"},
		{"certutil", "-d", "sql:" + db, "-A", "-t", "C,,", "-n", "authority", "-i", ca},
	} {
		if r, err := lab.Run(c.ctx, c.Client, "", command[0], command[1:]...); err != nil {
			c.Fatalf("%v: %v\n%s", command, err, r.Stderr)
		}
	}
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	args := append([]string{"HOME=" + home, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir=" + filepath.Join(home, "profile"), "--host-resolver-rules=MAP * " + lab.OriginV4,
	}, append(flags, "--dump-dom", url)...)
	r, err := lab.Run(ctx, c.Client, "", "env", args...)
	if err != nil {
		err = fmt.Errorf("%w: %.2000s", err, r.Stderr)
	}
	return r.Stdout, err
}

// TestBrowser has Chromium load a page by HTTP/2, and one whose site announces
// QUIC, through a wire that refuses QUIC: it turns to TCP at once, trusts what is
// forged, and the recorder gets every object.
func TestBrowser(t *testing.T) {
	c := wireScene(t, "late", "{default: bump}", 0)
	web, err := lab.StartNginx(c.Origin, c.directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.cert},
		{Port: lab.HTTP1Port, Certificate: &c.cert, HTTP1: true, AltSvc: `h3=":443"; ma=3600`},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.page(web, "page.bin", 1000) // fetched at the end, when nobody takes connections
	c.album(web)
	time.Sleep(time.Second) // until the wire takes connections
	for _, site := range []string{webName, webName + ":9443"} {
		start := time.Now()
		document, err := c.browse(c.ca, "https://"+site+"/album.html", "--enable-quic")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s loaded in %v", site, time.Since(start))
		for i := range objects {
			if !strings.Contains(document, fmt.Sprintf("[loaded %d]", i)) {
				t.Errorf("%s: object %d was not loaded", site, i)
			}
		}
	}
	refused := 0
	for line := range strings.Lines(c.clearspan("wire", "status")) {
		fmt.Sscanf(strings.TrimSpace(line), "quic-blocked %d", &refused)
	}
	if refused == 0 {
		t.Errorf("no datagram of QUIC was refused:\n%s", c.clearspan("wire", "status"))
	}
	c.stop()
	exported, err := lab.ExportObjects(c.ctx, c.capture.File, "http", c.directory("objects"))
	if err != nil || len(exported) < objects+1 {
		t.Errorf("%d objects over HTTP/1.1 at the recorder, %v", len(exported), err)
	}
	bodies, err := lab.HTTP2Bodies(c.ctx, c.capture.File)
	if err != nil || len(bodies) < objects+1 {
		t.Errorf("%d objects over HTTP/2 at the recorder, %v", len(bodies), err)
	}
}
