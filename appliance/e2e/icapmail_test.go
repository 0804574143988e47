package e2e

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestICAPMail has a virus scanner look at mail, with TLS from the start and after
// STARTTLS: what is infected never reaches the origin, and its sender is told.
func TestICAPMail(t *testing.T) {
	var dir string
	c := newScene(t, settings{prepare: scanner(&dir), policy: "{default: bump, services: [av]}", more: scanned})
	boxes := c.postfix()
	for _, port := range []int{lab.SMTPSPort, lab.SubmissionPort} {
		m := lab.Mail{Server: lab.OriginV4, Port: port, From: sender, To: user + "@" + domain, Data: letter("clean", "text\n"), CA: c.ca, Name: mailName}
		if r, err := lab.Swaks(c.ctx, c.Client, m); err != nil {
			t.Errorf("port %d: %v\n%s", port, err, r.Stdout)
		}
		m.Data = letter("infected", lab.EICAR()+"\n")
		r, err := lab.Swaks(c.ctx, c.Client, m)
		if err == nil || !strings.Contains(r.Stdout, "554 5.7.1") {
			t.Errorf("port %d, infected: %v\n%s", port, err, r.Stdout)
		}
	}
	eventually(t, "clean messages delivered", func() bool {
		all, err := boxes.Messages(user)
		return err == nil && len(all) == 2
	})
	c.stop()
	words := make(map[string]int)
	for _, e := range c.entries() {
		words[e.Service["av"]]++
	}
	if words["blocked"] != 2 || words["unmodified"]+words["modified"] != 2 {
		t.Errorf("entries say %v", words)
	}
}

// postfix starts the usual mail server on the origin.
func (c *scene) postfix() *lab.Mailboxes {
	c.Helper()
	boxes, err := lab.NewMailboxes(c.directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := lab.StartPostfix(c.Origin, c.directory("postfix"), c.cert, boxes); err != nil {
		c.Fatal(err)
	}
	return boxes
}
