package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// wireScene is a scene whose appliance is a cable between client and origin.
func wireScene(t *testing.T, takeover, policy string) *scene {
	name := fmt.Sprintf("e2e-%d-%s", os.Getpid(), takeover)
	return newScene(t, settings{
		network: lab.NewInline,
		intake: fmt.Sprintf(`{name: %s, mode: wire, legs: [%s, %s], takeover: %s}`,
			name, lab.LANInterface, lab.WANInterface, takeover),
		policy: policy,
		finish: func(c *scene) {
			out := c.clearspan("wire", "status", name)
			if !strings.Contains(out, "attached  true") || !strings.Contains(out, "no process") {
				c.Errorf("status of a wire without a process:\n%s", out)
			}
			// Nobody takes connections, and they pass.
			if r, err := lab.Curl(c.ctx, c.Client, c.pki.RootFile, append(lab.Resolve(webName, lab.OriginV4), "https://"+webName+"/page.bin")...); err != nil {
				c.Errorf("through a wire without a process: %v\n%s", err, r.Stderr)
			}
			c.clearspan("wire", "remove", name)
			c.upAgain()
		},
	})
}

// clearspan runs a command on the box.
func (c *scene) clearspan(args ...string) string {
	c.Helper()
	r, err := lab.Run(c.ctx, c.Box, "", binary, args...)
	if err != nil {
		c.Errorf("clearspan %s: %v\n%s", strings.Join(args, " "), err, r.Stderr)
	}
	return r.Stdout
}

// upAgain waits until the legs are back as they were.
func (c *scene) upAgain() {
	c.Helper()
	for deadline := time.Now().Add(5 * time.Second); c.kernelState() != c.kernel && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
}

// TestWire decrypts, tunnels and passes through a bump in the wire, by both kinds
// of take-over.
func TestWire(t *testing.T) {
	for _, takeover := range []string{"late", "accept"} {
		t.Run(takeover, func(t *testing.T) {
			c := wireScene(t, takeover, "{default: bump, rules: [{name: bank, host: [bank.example.test], action: tunnel}]}")
			web := c.nginx()
			page := c.page(web, "page.bin", 300_000)
			mailboxes, err := lab.NewMailboxes(c.directory("mail"), domain, map[string]string{user: password})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lab.StartPostfix(c.Origin, c.directory("postfix"), c.cert, mailboxes); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // until the wire takes connections

			for _, address := range []string{lab.OriginV4, lab.OriginV6} {
				r, err := lab.Curl(c.ctx, c.Client, c.ca, append(lab.Resolve(webName, address), "--http1.1", "https://"+webName+"/page.bin")...)
				if err != nil || r.Stdout != string(page) {
					t.Errorf("%s: got %d octets of %d, %v", address, len(r.Stdout), len(page), err)
				}
			}
			for _, port := range []int{lab.SMTPSPort, lab.SubmissionPort} {
				mail := lab.Mail{
					Server: lab.OriginV4, Port: port, From: "alice@" + domain, To: user + "@" + domain, Name: mailName, CA: c.ca,
					Data: fmt.Sprintf("Subject: by wire\n\nport %d\n", port),
				}
				if r, err := lab.Swaks(c.ctx, c.Client, mail); err != nil {
					t.Errorf("mail to port %d: %v\n%s", port, err, r.Stdout)
				}
			}
			if _, err := lab.StartDovecot(c.Origin, c.directory("dovecot"), c.cert, mailboxes); err != nil {
				t.Fatal(err)
			}
			for _, scheme := range []string{"imap", "pop3"} {
				r, err := lab.Curl(c.ctx, c.Client, c.ca, append(lab.Resolve(mailName, lab.OriginV4),
					"--ssl-reqd", "-u", user+":"+password, scheme+"://"+mailName+"/")...)
				if err != nil {
					t.Errorf("%s with STARTTLS: %v\n%s", scheme, err, r.Stderr)
				}
			}
			// The tunneled host shows its own certificate.
			r, err := lab.Curl(c.ctx, c.Client, c.pki.RootFile, append(lab.Resolve("bank.example.test", lab.OriginV4),
				"--connect-to", "bank.example.test:443:"+lab.OriginV4+":443", "-k", "-w", "%{certs}", "-o", "/dev/null", "https://bank.example.test/page.bin")...)
			if err != nil || !strings.Contains(r.Stdout, "Issuer") || strings.Contains(r.Stdout, "clearspan") {
				t.Errorf("tunneled host: %v\n%s", err, r.Stdout)
			}
			if status := c.clearspan("wire", "status"); !strings.Contains(status, "taking connections") {
				t.Errorf("status:\n%s", status)
			}
			for _, v := range c.stop() {
				if port := v.Origin.Port(); port == 143 || port == 110 || port == 587 {
					if greeting := string(v.Streams[1][:3]); greeting != "* O" && greeting != "+OK" && greeting != "220" {
						t.Errorf("port %d: the recording begins with %q, want the greeting", port, v.Streams[1][:20])
					}
				}
			}

			objects, err := lab.ExportObjects(c.ctx, c.capture.File, "http", c.directory("objects"))
			if err != nil || len(objects) != 2 {
				t.Fatalf("exported %v, %v", objects, err)
			}
			for _, o := range objects {
				if got, err := os.ReadFile(o); err != nil || string(got) != string(page) {
					t.Errorf("%s: %d octets differ from the page (%v)", filepath.Base(o), len(got), err)
				}
			}
			mails, err := lab.ExportObjects(c.ctx, c.capture.File, "imf", c.directory("mails"))
			sent := 0
			for _, m := range mails { // tshark takes answers of the mailbox for messages, too
				if strings.HasPrefix(filepath.Base(m), "by wire") {
					sent++
				}
			}
			if err != nil || sent != 2 {
				t.Errorf("exported mails %v, %v", mails, err)
			}
			outcomes := map[string]int{}
			for _, e := range c.entries() {
				outcomes[e.Outcome]++
				if a := e.Client.Addr(); a != netip.MustParseAddr(lab.WireClientV4) && a != netip.MustParseAddr(lab.WireClientV6) {
					t.Errorf("client %s", a)
				}
			}
			if outcomes["bumped"] != 6 || outcomes["tunneled"] != 1 {
				t.Errorf("outcomes %v", outcomes)
			}
		})
	}
}
