package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestFacts: the audit trail tells who requested and who mailed what, in TLS,
// after STARTTLS and in clear.
func TestFacts(t *testing.T) {
	c := newScene(t, settings{})
	web := c.Nginx()
	page := c.Page(web, "page.html", 100_000)
	boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartPostfix(c.Origin, c.Directory("postfix"), c.Cert, boxes); err != nil {
		t.Fatal(err)
	}
	want := make(map[ends][]facts.Exchange)
	for _, version := range []string{"--http1.1", "--http2"} {
		x := c.Fetch(version, "https://"+webName+"/page.html?token=secret")
		scenetest.Same(t, version, x.Content, page)
		want[x.Ends] = []facts.Exchange{{Method: "GET", Host: webName, Path: "/page.html", Status: 200, Type: "text/html", Length: 100_000}}
		x = c.Fetch(version, "--upload-file", web.Root+"/page.html", "https://"+webName+"/upload/new"+version)
		want[x.Ends] = []facts.Exchange{{Method: "PUT", Host: webName, Path: "/upload/new" + version, Status: 201}}
	}
	x := c.Fetch("http://" + webName + "/missing.html")
	want[x.Ends] = []facts.Exchange{{Method: "GET", Host: webName, Path: "/missing.html", Status: 404, Type: "text/html", Length: uint64(len(x.Content))}}

	const from = "alice@example.test"
	to := user + "@" + domain
	ports := []int{lab.SMTPSPort, lab.SubmissionPort}
	for _, port := range ports {
		r, err := lab.Swaks(c.Ctx, c.Client, lab.Mail{
			Server: lab.OriginV4, Port: port, From: from, To: to, Name: mailName, CA: c.CA,
			Data: fmt.Sprintf("From: Alice <%s>\nTo: %s\nSubject: =?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?= on %d\nMessage-ID: <%d@%s>\n\n%s", from, to, port, port, domain, strings.Repeat("line of text\n.\n", 3000)),
		})
		if err != nil {
			t.Fatalf("swaks: %v\n%s", err, r.Stdout)
		}
	}
	c.Stop()
	mails := 0
	for _, e := range c.Entries() {
		if w, ok := want[e.Ends()]; ok {
			for i := range e.HTTP { // nginx may or may not say how long an empty answer is
				if e.HTTP[i].Method == "PUT" {
					e.HTTP[i].Length, e.HTTP[i].Type = 0, ""
				}
			}
			if diff := cmp.Diff(w, e.HTTP); diff != "" || e.HTTPTotal != 1 || len(e.Mail) != 0 {
				t.Errorf("%s of %v (-want +got):\n%s", e.Protocol, e.Ends(), diff)
			}
			delete(want, e.Ends())
		}
		for _, port := range ports {
			if int(e.Origin.Port()) != port {
				continue
			}
			mails++
			w := []facts.Mail{{From: from, To: []string{to}, Subject: fmt.Sprintf("日本語 on %d", port), MessageID: fmt.Sprintf("%d@%s", port, domain), Reply: 250}}
			if diff := cmp.Diff(w, e.Mail); diff != "" || e.MailTotal != 1 || len(e.HTTP) != 0 {
				t.Errorf("port %d (-want +got):\n%s", port, diff)
			}
		}
	}
	if len(want) > 0 || mails != len(ports) {
		t.Errorf("%d mails; no entries for %v", mails, want)
	}
	if strings.Contains(string(c.ReadFile(c.Dir+"/state/sessions.jsonl")), "secret") {
		t.Error("the audit trail holds a query")
	}
}
