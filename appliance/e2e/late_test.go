package e2e

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/tls"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestLate: clients use a proxy behind the box, and a mail program deflates its session.
// The mirror shows what they say.
func TestLate(t *testing.T) {
	const proxyPort = 8888
	c := newScene(t, settings{})
	boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartDovecot(c.Origin, c.Directory("dovecot"), c.Cert, boxes); err != nil {
		t.Fatal(err)
	}
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{{Port: 443, Certificate: &c.Cert}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartTinyproxy(c.Origin, c.Directory("tinyproxy"), proxyPort, user, password, "127.0.0.1 "+webName+"\n"); err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page.bin", 50_000)
	x := c.Fetch("--http1.1", "-x", "http://"+user+":"+password+"@"+lab.OriginV4+":8888", "https://"+webName+"/page.bin")
	scenetest.Same(t, "client", x.Content, page)

	conn := tls.Client(c.Dial(lab.IMAPSPort), &tls.Config{RootCAs: c.Pool(c.CA), ServerName: mailName})
	in, out := io.Reader(conn), io.Writer(conn)
	flush := func() error { return nil }
	lines := bufio.NewReader(in)
	ask := func(tag, command string) {
		t.Helper()
		if _, err := io.WriteString(out, tag+" "+command+"\r\n"); err != nil || flush() != nil {
			t.Fatal(err)
		}
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			if rest, ok := strings.CutPrefix(line, tag+" "); ok {
				if !strings.HasPrefix(rest, "OK") {
					t.Fatalf("%s: %s", command, rest)
				}
				return
			}
		}
	}
	ask("a", "LOGIN "+user+" "+password)
	ask("b", "COMPRESS DEFLATE")
	deflate, _ := flate.NewWriter(conn, flate.BestCompression)
	lines, out, flush = bufio.NewReader(flate.NewReader(lines)), deflate, deflate.Flush
	ask("c", "SELECT INBOX")
	ask("d", "LOGOUT")
	port := scenetest.LocalPort(conn)
	conn.Close()

	c.Deflated = lab.IMAPSPort
	recorded := c.Stop()
	entries := c.Entries()
	if e := c.EntryOf(entries, x.Ends); e.Outcome != "bumped" || e.SNI != webName || !slices.Contains(e.Events, "late-tls") {
		t.Errorf("behind the proxy: %+v", e)
	}
	if v := c.ConversationOf(recorded, x.Ends); !bytes.HasPrefix(v.Streams[0], []byte("CONNECT ")) ||
		!bytes.Contains(v.Streams[0], []byte("GET /page.bin ")) || !bytes.HasSuffix(v.Streams[1], page) {
		t.Errorf("recorded %.300q", v.Streams[0])
	}
	v := c.ConversationOf(recorded, port)
	if !bytes.HasSuffix(v.Streams[0], []byte("c SELECT INBOX\r\nd LOGOUT\r\n")) || !bytes.Contains(v.Streams[1], []byte(" EXISTS\r\n")) {
		t.Errorf("recorded %.300q and %.300q", v.Streams[0], v.Streams[1])
	}
}
