package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// objects are pages by their names.
type objects map[string][]byte

// objects puts n pages of different lengths onto the web server.
func (c *scene) objects(web *lab.Web, prefix string, n int) objects {
	c.Helper()
	list := make(objects)
	for i := range n {
		name := fmt.Sprintf("%s-%02d.bin", prefix, i)
		list[name] = c.Page(web, name, []int{1, 900, 20_000, 300_000}[i%4]+i)
	}
	return list
}

// exportedAll wants the objects among the HTTP/1.1 objects that tshark exports
// from the recorder's file, each octet by octet.
func (c *scene) exportedAll(want objects) {
	c.Helper()
	files, err := lab.ExportObjects(c.Ctx, c.Capture.File, "http", c.Directory("objects"))
	if err != nil {
		c.Error(err)
	}
	got := make(map[string]string)
	for _, f := range files {
		got[filepath.Base(f)] = f
	}
	for name, content := range want {
		file, ok := got[name]
		if !ok {
			c.Errorf("%s is not among the %d objects", name, len(files))
			continue
		}
		exported, err := os.ReadFile(file)
		if err != nil {
			c.Error(err)
		}
		scenetest.Same(c, name, exported, content)
	}
}

// transcoded wants the sessions with h2 on the recorder rendered without a rest,
// and kept as they are in the files beside it, where tshark reads HTTP/2 on the
// mapped port. It returns how many streams were shown.
func (c *scene) transcoded(recorded []mirrortest.Conversation) (streams uint64) {
	c.Helper()
	for _, e := range c.Entries() {
		if e.ALPN != "h2" {
			continue
		}
		m, files := e.Mirror["recorder"], e.Mirror["files"]
		t := m.Transcoded
		if t == nil || t.Reason != "" || t.Raw != 0 || t.Replaced != 0 || t.Lost != 0 || t.Streams != uint64(len(m.Streams)) {
			c.Errorf("session %s: %+v, %+v", e.Session, m, t)
			continue
		}
		if files.Transcoded != nil || len(files.Streams) > 0 || e.Flow.Ports["files"] != 80 || e.Flow.Ports["recorder"] != e.Origin.Port() {
			c.Errorf("session %s: files %+v, flow %+v", e.Session, files, e.Flow)
		}
		for _, v := range recorded {
			if scenetest.Unmapped(v.Client) == e.Client {
				c.Errorf("session %s has a conversation of its own", e.Session)
			}
		}
		for _, st := range m.Streams {
			v := c.ConversationOf(recorded, scenetest.Between(st.Port, e.Origin.Port()))
			if v.Origin.Port() != e.Origin.Port() || !v.Ended || len(v.Streams[0]) == 0 {
				c.Errorf("stream %d: %v to %v, ended %t, %d octets of the client", st.ID, v.Client, v.Origin, v.Ended, len(v.Streams[0]))
			}
		}
		streams += t.Streams
	}
	h2, err := lab.Fields(c.Ctx, c.Capture.File, "http2", "frame.number")
	if err != nil || len(h2) > 0 {
		c.Errorf("%d frames of HTTP/2 on the recorder, %v", len(h2), err)
	}
	return streams
}

// files returns the captures that the mirror beside the recorder wrote.
func (c *scene) files() []string {
	c.Helper()
	files, err := filepath.Glob(filepath.Join(c.Dir, "state", "pcap", "*.pcapng"))
	if err != nil || len(files) == 0 {
		c.Fatalf("captures: %v, %v", files, err)
	}
	return files
}

// TestHTTP2Transcoded has curl fetch many objects at a time over HTTP/2: on the
// recorder each is an HTTP/1.1 exchange, in the files beside it HTTP/2.
func TestHTTP2Transcoded(t *testing.T) {
	c := newScene(t, settings{HTTP2: "transcode"})
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), append(lab.Sites(c.Cert), lab.Site{Port: 8080, PriorKnowledge: true}))
	if err != nil {
		t.Fatal(err)
	}
	want := c.objects(web, "object", 40)
	out := c.Directory("out")
	var args []string
	for name := range want {
		args = append(args, "--output", filepath.Join(out, name), "https://"+webName+"/"+name)
	}
	c.Curl(append([]string{"--http2", "--parallel", "--parallel-max", "40"}, args...)...)
	for name, content := range want {
		scenetest.Same(t, "curl's "+name, c.ReadFile(filepath.Join(out, name)), content)
	}
	upload := c.Page(web, "upload.bin", 200_000)
	if x := c.Fetch("--http2", "--upload-file", filepath.Join(web.Root, "upload.bin"), "https://"+webName+"/upload/sent.bin"); x.Status != "201" || x.Version != "2" {
		t.Errorf("upload: HTTP/%s %s", x.Version, x.Status)
	}
	c.Curl("--http2", "--head", "https://"+webName+"/upload.bin")
	if x := c.Fetch("--http2", "https://"+webName+"/missing"); x.Status != "404" {
		t.Errorf("status %s", x.Status)
	}
	plain := c.Fetch("--http1.1", "https://"+webName+"/upload.bin")
	unencrypted := c.Fetch("--http2-prior-knowledge", "http://"+webName+":8080/upload.bin")
	recorded := c.Stop()

	if n := c.transcoded(recorded); n != 43 {
		t.Errorf("%d streams, want 43", n)
	}
	c.exportedAll(want)
	if v := c.ConversationOf(recorded, plain.Ends); !bytes.HasSuffix(v.Streams[1], upload) {
		t.Error("HTTP/1.1 beside it is not what it was")
	}
	sent := false
	for _, v := range recorded {
		sent = sent || bytes.HasPrefix(v.Streams[0], []byte("PUT /upload/sent.bin HTTP/1.1\r\nhost: "+webName+"\r\n")) && bytes.HasSuffix(v.Streams[0], upload)
	}
	if !sent {
		t.Error("upload is not on the recorder")
	}
	if m := c.EntryOf(c.Entries(), unencrypted.Ends).Mirror["recorder"]; len(m.Streams) != 1 || m.Transcoded == nil {
		t.Errorf("without TLS: %+v", m)
	} else if v := c.ConversationOf(recorded, scenetest.Between(m.Streams[0].Port, unencrypted.Ends.Origin)); v.Origin.Port() != 8080 || !bytes.HasSuffix(v.Streams[1], upload) {
		t.Errorf("without TLS: %d octets from %v", len(v.Streams[1]), v.Origin)
	}
	rows, err := lab.Fields(c.Ctx, c.Capture.File, "http.response", "http.response.version", "http.response.code")
	if err != nil || len(rows) != 45 {
		t.Errorf("%d answers on the recorder, %v", len(rows), err)
	}

	bodies := 0
	for _, file := range c.files() {
		paths, err := lab.Fields(c.Ctx, file, `http2.headers.method == "GET" && tcp.dstport == 80`, "http2.headers.path")
		if err != nil || len(paths) == 0 {
			t.Errorf("%d frames with requests of HTTP/2 in the files, %v", len(paths), err)
		}
		list, err := lab.HTTP2Bodies(c.Ctx, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			for _, content := range want {
				if bytes.Equal(b.Content, content) {
					bodies++
				}
			}
		}
	}
	if bodies != len(want) {
		t.Errorf("%d objects over HTTP/2 in the files, want %d", bodies, len(want))
	}
}

// TestHTTP2Browser has Chromium load a page with thirty objects.
func TestHTTP2Browser(t *testing.T) {
	c := newScene(t, settings{HTTP2: "transcode"})
	web := c.Nginx()
	want := make(objects)
	var page strings.Builder
	page.WriteString("<!doctype html><title>parts</title><link rel=icon href=data:,>\n")
	for i := range 30 { // scripts are read to their end
		name := fmt.Sprintf("part-%02d.js", i)
		random := make([]byte, []int{1, 500, 10_000, 150_000}[i%4])
		rand.Read(random)
		want[name] = fmt.Appendf(nil, "document.title += \"+\"; // %x", random)
		c.Write(filepath.Join(web.Root, name), want[name])
		fmt.Fprintf(&page, "<script src=/%s></script>\n", name)
	}
	c.Write(filepath.Join(web.Root, "parts.html"), []byte(page.String()))
	document, err := lab.Chromium(c.Ctx, c.Client, c.Directory("browser"), c.CA, webName, lab.OriginV4, "https://"+webName+"/parts.html")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(document, "<title>parts"+strings.Repeat("+", len(want))+"</title>") {
		t.Errorf("document: %.500s", document)
	}
	recorded := c.Stop()
	if n := c.transcoded(recorded); n != 31 {
		t.Errorf("%d streams, want 31", n)
	}
	want["parts.html"] = []byte(page.String())
	c.exportedAll(want)
}
