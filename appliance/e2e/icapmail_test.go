package e2e

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestICAPMail has a virus scanner look at mail, with TLS from the start and after
// STARTTLS: what is infected never reaches the origin, and its sender is told.
func TestICAPMail(t *testing.T) {
	var dir string
	c := newScene(t, settings{Prepare: scanner(&dir), Policy: "{default: bump, services: [av]}", More: scanned})
	boxes := c.postfix()
	for _, port := range []int{lab.SMTPSPort, lab.SubmissionPort} {
		m := lab.Mail{Server: lab.OriginV4, Port: port, From: sender, To: user + "@" + domain, Data: letter("clean", "text\n"), CA: c.CA, Name: mailName}
		if r, err := lab.Swaks(c.Ctx, c.Client, m); err != nil {
			t.Errorf("port %d: %v\n%s", port, err, r.Stdout)
		}
		m.Data = letter("infected", lab.EICAR()+"\n")
		r, err := lab.Swaks(c.Ctx, c.Client, m)
		if err == nil || !strings.Contains(r.Stdout, "554 5.7.1") {
			t.Errorf("port %d, infected: %v\n%s", port, err, r.Stdout)
		}
	}
	scenetest.Eventually(t, "clean messages delivered", func() bool {
		all, err := boxes.Messages(user)
		return err == nil && len(all) == 2
	})
	c.Stop()
	words := make(map[string]int)
	for _, e := range c.Entries() {
		words[e.Service["av"]]++
		if found := e.Finding["av"]; (found == lab.Threat+".UNOFFICIAL") != (e.Service["av"] == "blocked") {
			t.Errorf("session %s is %s, found was %q", e.Session, e.Service["av"], found)
		}
	}
	if words["blocked"] != 2 || words["unmodified"]+words["modified"] != 2 {
		t.Errorf("entries say %v", words)
	}
}

// postfix starts the usual mail server on the origin.
func (c *scene) postfix() *lab.Mailboxes {
	c.Helper()
	boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := lab.StartPostfix(c.Origin, c.Directory("postfix"), c.Cert, boxes); err != nil {
		c.Fatal(err)
	}
	return boxes
}

// TestICAPPlain has the scanner look at mail that is never encrypted, and at a
// request whose client was silent for a while. The mirror shows what was said.
func TestICAPPlain(t *testing.T) {
	var dir string
	c := newScene(t, settings{Prepare: scanner(&dir), Policy: "{default: bump, services: [av], rules: [{name: unseen, port: [587], action: bump, services: none}]}", More: scanned})
	boxes, web := c.postfix(), c.Nginx()
	c.Write(filepath.Join(web.Root, "bad.com"), []byte(lab.EICAR()))
	clean, infected := letter("clean", "text\n"), letter("infected", lab.EICAR()+"\n")
	for _, more := range [][]string{nil, {"--pipeline"}} {
		m := lab.Mail{Server: lab.OriginV4, Port: lab.SMTPPort, From: sender, To: user + "@" + domain, Data: clean, Plain: true}
		if r, err := lab.Swaks(c.Ctx, c.Client, m, more...); err != nil {
			t.Errorf("%v: %v\n%s", more, err, r.Stdout)
		}
		m.Data = infected
		if r, err := lab.Swaks(c.Ctx, c.Client, m, more...); err == nil || !strings.Contains(r.Stdout, "554 5.7.1") {
			t.Errorf("infected, %v: %v\n%s", more, err, r.Stdout)
		}
	}
	conn := c.Dial(lab.PlainPort)
	time.Sleep(500 * time.Millisecond) // longer than a client is waited for
	if _, err := io.WriteString(conn, "GET /bad.com HTTP/1.1\r\nHost: "+webName+"\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 403 ")) {
		t.Errorf("a late request is answered %.200q, %v", got, err)
	}
	conn.Close()
	scenetest.Eventually(t, "clean messages delivered", func() bool {
		all, err := boxes.Messages(user)
		return err == nil && len(all) == 2
	})
	recorded := c.Stop()
	words := make(map[string]int)
	for _, e := range c.Entries() {
		words[e.Service["av"]]++
		if found := e.Finding["av"]; (found == lab.Threat+".UNOFFICIAL") != (e.Service["av"] == "blocked") {
			t.Errorf("session %s is %s, found was %q", e.Session, e.Service["av"], found)
		}
		if e.Outcome != "plain" || e.Reason != "" {
			t.Errorf("entry %+v", e)
		}
	}
	if words["blocked"] != 3 || words["unmodified"]+words["modified"] != 2 {
		t.Errorf("entries say %v", words)
	}
	mails := 0
	for _, v := range recorded {
		if v.Origin.Port() != lab.SMTPPort {
			continue
		}
		mails++
		said, heard := string(v.Streams[0]), string(v.Streams[1])
		if !strings.HasPrefix(said, "EHLO client.example\r\nMAIL FROM:<"+sender+">") || !strings.Contains(said, "\r\n.\r\nQUIT\r\n") {
			t.Errorf("recorded of the client: %.600q", said)
		}
		if !strings.HasPrefix(heard, "220 ") || strings.Contains(said, lab.EICAR()) != strings.Contains(heard, "\r\n554 5.7.1 ") {
			t.Errorf("recorded of the origin: %.600q", heard)
		}
	}
	if mails != 4 {
		t.Errorf("%d mail sessions recorded", mails)
	}
}
