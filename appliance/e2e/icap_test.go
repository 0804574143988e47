package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// icap starts c-icap with ClamAV beside the appliance.
func (c *scene) icap() *lab.ICAP {
	c.Helper()
	server, err := lab.StartICAP(c.Box, c.Directory("icap"), nil)
	if err != nil {
		c.Fatal(err)
	}
	return server
}

// scanner is icap before the appliance starts; it tells the directory.
func scanner(dir *string) func(*scenetest.Scene) {
	return prepared(func(c *scene) { *dir = c.icap().Dir })
}

const scanned = `services:
  - {name: av, kind: icap, url: "icap://127.0.0.1:1344/avscan", timeout: 10s, on_failure: closed}`

// TestICAP has a virus scanner look at web traffic: what is clean arrives octet for
// octet, what is not is a page that says so, and the mirror shows what the client
// sent and got.
func TestICAP(t *testing.T) {
	var dir string
	c := newScene(t, settings{Prepare: scanner(&dir), Policy: "{default: bump, services: [av]}", More: scanned})
	web := c.Nginx()
	clean := c.Page(web, "clean.bin", 30_000)
	text := []byte(strings.Repeat("clean text, which is compressed\n", 4000))
	c.Write(filepath.Join(web.Root, "clean.txt"), text)
	bad := filepath.Join(c.Dir, "upload")
	c.Write(bad, []byte(lab.EICAR()))
	c.Write(filepath.Join(web.Root, "bad.com"), []byte(lab.EICAR()))
	c.Write(filepath.Join(web.Root, "bad.txt"), []byte(lab.EICAR()+strings.Repeat("\n", 5000)))
	good := filepath.Join(c.Dir, "good")
	c.Write(good, clean)

	const site = "https://" + webName
	for _, version := range []string{"--http1.1", "--http2"} {
		for _, tt := range []struct {
			name    string
			args    []string
			content []byte
			blocked bool
		}{
			{"download", []string{site + "/clean.bin"}, clean, false},
			{"compressed, without a length", []string{"--compressed", site + "/clean.txt"}, text, false},
			{"upload", []string{"--upload-file", good, site + "/upload/" + version}, nil, false},
			{"infected", []string{site + "/bad.com"}, nil, true},
			{"infected, with a longer body", []string{site + "/bad.txt"}, nil, true},
			{"infected, compressed, without a length", []string{"--compressed", site + "/bad.txt"}, nil, true},
			{"infected upload", []string{"--upload-file", bad, site + "/upload/bad" + version}, nil, true},
		} {
			t.Run(tt.name+version, func(t *testing.T) {
				x := c.In(t).Fetch(append([]string{version}, tt.args...)...)
				if tt.blocked != (x.Status == "403") || tt.blocked != bytes.Contains(x.Content, []byte(lab.Threat)) {
					t.Errorf("status %s: %.400q", x.Status, x.Content)
				}
				if tt.content != nil {
					scenetest.Same(t, "content", x.Content, tt.content)
				}
			})
		}
		if got := c.ReadFile(filepath.Join(web.Root, "upload", version)); !bytes.Equal(got, clean) {
			t.Errorf("%s: %d octets were uploaded, not those of the file", version, len(got))
		}
		if _, err := os.Stat(filepath.Join(web.Root, "upload", "bad"+version)); err == nil {
			t.Errorf("%s: the infected upload reached the origin", version)
		}
	}
	c.Stop()
	words := make(map[string]int)
	for _, e := range c.Entries() {
		words[e.Service["av"]]++
		if found := e.Finding["av"]; (found == lab.Threat+".UNOFFICIAL") != (e.Service["av"] == "blocked") {
			t.Errorf("session %s is %s, found was %q", e.Session, e.Service["av"], found)
		}
	}
	c.AwaitLog(8, "service found a threat", lab.Threat)
	if words["blocked"] != 8 || words["unmodified"] != 4 || words["modified"] != 2 {
		t.Errorf("entries say %v", words)
	}
	log := c.ReadFile(filepath.Join(dir, "access.log"))
	for _, want := range []string{"204 RESPMOD avscan", "204 REQMOD avscan", "200 REQMOD avscan", "200 RESPMOD avscan"} {
		if !bytes.Contains(log, []byte(want)) {
			t.Errorf("c-icap served no %q:\n%s", want, log)
		}
	}
}
