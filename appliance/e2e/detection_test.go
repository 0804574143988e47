package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestDetection serves TLS where plain protocols are usual and the other way
// round: content decides what a session is, no port does.
func TestDetection(t *testing.T) {
	c := newScene(t, settings{})
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
		{Port: 20443, Certificate: &c.Cert},
		{Port: 80, Certificate: &c.Cert},
		{Port: 25, Certificate: &c.Cert},
		{Port: 8081},
		{Port: 443},
		{Port: 465},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page.bin", 100_000)
	rows := []struct {
		name, url string
		args      []string
		tls       bool
		port      uint16 // on the mirror
	}{
		{"TLS on a port of nobody's", "https://" + webName + ":20443", []string{"--http1.1"}, true, 20443},
		{"TLS on the port of HTTP", "https://" + webName + ":80", []string{"--http1.1"}, true, 80},
		{"TLS with HTTP/2 on the port of HTTP", "https://" + webName + ":80", []string{"--http2"}, true, 80},
		{"TLS on the port of SMTP", "https://" + webName + ":25", []string{"--http1.1"}, true, 80},
		{"plain on a port of nobody's", "http://" + webName + ":8081", nil, false, 8081},
		{"plain on the port of HTTPS", "http://" + webName + ":443", nil, false, 443},
		{"plain over IPv6", "http://[" + lab.OriginV6 + "]:8081", nil, false, 8081},
		{"plain on the port of SMTPS", "http://" + webName + ":465", nil, false, 465},
	}
	ports := make([]ends, len(rows))
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			x := c.In(t).Fetch(append(row.args, row.url+"/page.bin")...)
			ports[i] = x.Ends
			scenetest.Same(t, "client", x.Content, page)
		})
	}
	if t.Failed() {
		return
	}
	recorded := c.Stop()
	entries := c.Entries()
	notes := c.notes()
	for i, row := range rows {
		e, v := c.EntryOf(entries, ports[i]), c.ConversationOf(recorded, ports[i])
		outcome, content, protocol := "plain", "content=plain ", "http"
		if row.tls {
			outcome, content, protocol = "bumped", "content=decrypted ", "tls"
		}
		if e.Outcome != outcome || e.Protocol != protocol || e.Reason != "" || (e.TLSClient != nil) != row.tls || (e.TLSOrigin != nil) != row.tls {
			t.Errorf("%s: entry %+v", row.name, e)
		}
		if e.Mirror["recorder"].Lost != 0 || v.Origin.Port() != row.port || e.Flow.Ports["recorder"] != row.port {
			t.Errorf("%s: recorded on port %d, entry %+v", row.name, v.Origin.Port(), e)
		}
		if !strings.HasSuffix(string(v.Streams[1]), string(page)) && e.ALPN != "h2" {
			t.Errorf("%s: the page is not at the end of what was recorded", row.name)
		}
		if note := notes[e.Session]; !strings.Contains(note, content) {
			t.Errorf("%s: want %q in the comment %q", row.name, content, note)
		}
	}
}

// notes returns the comment on the first frame of each session in the pcapng
// files, by session.
func (c *scene) notes() map[string]string {
	c.Helper()
	files, err := filepath.Glob(filepath.Join(c.Dir, "state", "pcap", "*.pcapng"))
	if err != nil || len(files) == 0 {
		c.Fatalf("files %v, %v", files, err)
	}
	notes := make(map[string]string)
	for _, file := range files {
		rows, err := lab.Fields(c.Ctx, file, "frame.comment", "frame.comment")
		if err != nil {
			c.Fatal(err)
		}
		for _, row := range rows {
			_, rest, _ := strings.Cut(row[0], "session=")
			session, _, _ := strings.Cut(rest, " ")
			if notes[session] == "" {
				notes[session] = row[0]
			}
		}
	}
	return notes
}
