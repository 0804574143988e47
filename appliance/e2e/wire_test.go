package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// wires counts those of this process: their names are the machine's.
var wires atomic.Int64

// wireScene is a scene whose appliance is a cable between client and origin.
// Frames between client and origin bear the tag vlan, unless it is 0.
func wireScene(t *testing.T, takeover, policy string, vlan uint16) *scene {
	return wireSceneWith(t, takeover, "", policy, vlan)
}

// wireSceneWith is [wireScene] with more members of the intake.
func wireSceneWith(t *testing.T, takeover, members, policy string, vlan uint16) *scene {
	name := fmt.Sprintf("e2e-%d-%d", os.Getpid(), wires.Add(1))
	c := newScene(t, settings{
		Network: lab.NewInline,
		Prepare: prepared(func(c *scene) {
			for _, end := range []*netlab.Namespace{c.Client, c.Origin} {
				if vlan == 0 {
					return
				}
				if err := lab.Tag(c.Lab, end, lab.ClientInterface, vlan); err != nil {
					c.Fatal(err)
				}
			}
		}),
		Intake: fmt.Sprintf(`{name: %s, mode: wire, legs: [%s, %s], takeover: %s, stall: 5s%s}`,
			name, lab.LANInterface, lab.WANInterface, takeover, scenetest.Prefixed(", ", members)),
		Policy: policy,
		Finish: prepared(func(c *scene) {
			out := c.Clearspan("wire", "status", name)
			if !strings.Contains(out, "attached  true") || !strings.Contains(out, "no process") {
				c.Errorf("status of a wire without a process:\n%s", out)
			}
			// Nobody takes connections, and they pass.
			if r, err := lab.Curl(c.Ctx, c.Client, c.PKI.RootFile, append(lab.Resolve(webName, lab.OriginV4), "https://"+webName+"/page.bin")...); err != nil {
				c.Errorf("through a wire without a process: %v\n%s", err, r.Stderr)
			}
			c.Clearspan("wire", "remove", name)
			c.upAgain()
		}),
	})
	c.wire = name
	c.AwaitTaking(name)
	return c
}

// upAgain waits until the legs are back as they were.
func (c *scene) upAgain() {
	c.Helper()
	for deadline := time.Now().Add(5 * time.Second); c.KernelState() != c.Kernel && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
}

// dialWithOptions connects with IPv4 options in each packet.
func dialWithOptions(ns *netlab.Namespace, address string) (conn net.Conn, err error) {
	d := net.Dialer{Timeout: 300 * time.Millisecond, Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		const nops = "\x01\x01\x01\x01"
		err := c.Control(func(fd uintptr) { failed = unix.SetsockoptString(int(fd), unix.SOL_IP, unix.IP_OPTIONS, nops) })
		return errors.Join(err, failed)
	}}
	err = ns.Do(func() error {
		conn, err = d.Dial("tcp", address)
		return err
	})
	return conn, err
}

// TestWire decrypts, tunnels and passes through a bump in the wire, by both kinds
// of take-over.
func TestWire(t *testing.T) {
	for _, tt := range []struct {
		name, takeover string
		vlan           uint16
	}{{"late", "late", 0}, {"accept", "accept", 0}, {"VLAN", "late", 77}} {
		t.Run(tt.name, func(t *testing.T) {
			c := wireScene(t, tt.takeover, "{default: bump, rules: [{name: bank, host: [bank.example.test], origin: ["+lab.OriginV4+"], action: tunnel}]}", tt.vlan)
			web := c.Nginx()
			page := c.Page(web, "page.bin", 300_000)
			mailboxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lab.StartPostfix(c.Origin, c.Directory("postfix"), c.Cert, mailboxes); err != nil {
				t.Fatal(err)
			}
			for _, address := range []string{lab.OriginV4, lab.OriginV6} {
				r, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(webName, address), "--http1.1", "https://"+webName+"/page.bin")...)
				if err != nil || r.Stdout != string(page) {
					t.Errorf("%s: got %d octets of %d, %v", address, len(r.Stdout), len(page), err)
				}
			}
			for _, to := range []struct {
				server string
				port   int
			}{{lab.OriginV4, lab.SMTPSPort}, {lab.OriginV4, lab.SubmissionPort}, {lab.OriginV6, lab.SubmissionPort}} {
				mail := lab.Mail{
					Server: to.server, Port: to.port, From: "alice@" + domain, To: user + "@" + domain, Name: mailName, CA: c.CA,
					Data: fmt.Sprintf("Subject: by wire\n\n%s port %d\n", to.server, to.port),
				}
				if r, err := lab.Swaks(c.Ctx, c.Client, mail); err != nil {
					t.Errorf("mail to %s port %d: %v\n%s", to.server, to.port, err, r.Stdout)
				}
				if r, err := lab.OpenSSL(c.Ctx, c.Client, "GET /page.bin HTTP/1.0\n\n", "-connect", net.JoinHostPort(to.server, "9443"),
					"-servername", webName, "-CAfile", c.CA, "-verify_hostname", webName, "-verify_return_error", "-quiet"); err != nil || len(r.Stdout) < len(page) {
					t.Errorf("openssl to %s: %v, %d octets\n%.500s", to.server, err, len(r.Stdout), r.Stderr)
				}
			}
			if _, err := lab.StartDovecot(c.Origin, c.Directory("dovecot"), c.Cert, mailboxes); err != nil {
				t.Fatal(err)
			}
			for _, scheme := range []string{"imap", "pop3"} {
				r, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(mailName, lab.OriginV4),
					"--ssl-reqd", "-u", user+":"+password, scheme+"://"+mailName+"/")...)
				if err != nil {
					t.Errorf("%s with STARTTLS: %v\n%s", scheme, err, r.Stderr)
				}
			}
			// The tunneled host shows its own certificate.
			r, err := lab.Curl(c.Ctx, c.Client, c.PKI.RootFile, append(lab.Resolve("bank.example.test", lab.OriginV4),
				"--connect-to", "bank.example.test:443:"+lab.OriginV4+":443", "-k", "-w", "%{certs}", "-o", "/dev/null", "https://bank.example.test/page.bin")...)
			if err != nil || !strings.Contains(r.Stdout, "Issuer") || strings.Contains(r.Stdout, "clearspan") {
				t.Errorf("tunneled host: %v\n%s", err, r.Stdout)
			}
			// What the wire cannot judge is dropped, and the audit trail says so.
			if conn, err := dialWithOptions(c.Client, lab.OriginV4+":443"); err == nil {
				conn.Close()
				t.Error("a connection with IP options passed")
			}
			if status := c.Clearspan("wire", "status"); !strings.Contains(status, "taking connections") {
				t.Errorf("status:\n%s", status)
			}
			for _, v := range c.Stop() {
				if port := v.Origin.Port(); port == 143 || port == 110 || port == 587 {
					if greeting := string(v.Streams[1][:3]); greeting != "* O" && greeting != "+OK" && greeting != "220" {
						t.Errorf("port %d: the recording begins with %q, want the greeting", port, v.Streams[1][:20])
					}
				}
			}

			objects, err := lab.ExportObjects(c.Ctx, c.Capture.File, "http", c.Directory("objects"))
			if err != nil || len(objects) != 5 {
				t.Fatalf("exported %v, %v", objects, err)
			}
			for _, o := range objects {
				if got, err := os.ReadFile(o); err != nil || string(got) != string(page) {
					t.Errorf("%s: %d octets differ from the page (%v)", filepath.Base(o), len(got), err)
				}
			}
			mails, err := lab.ExportObjects(c.Ctx, c.Capture.File, "imf", c.Directory("mails"))
			sent := 0
			for _, m := range mails { // tshark takes answers of the mailbox for messages, too
				if strings.HasPrefix(filepath.Base(m), "by wire") {
					sent++
				}
			}
			if err != nil || sent != 3 {
				t.Errorf("exported mails %v, %v", mails, err)
			}
			outcomes := map[string]int{}
			for _, e := range c.Entries() {
				outcomes[e.Outcome]++
				if a := e.Client.Addr(); a != netip.MustParseAddr(lab.WireClientV4) && a != netip.MustParseAddr(lab.WireClientV6) {
					t.Errorf("client %s", a)
				}
			}
			tags, err := lab.Fields(c.Ctx, c.Capture.File, "tcp && vlan.id == 77", "frame.number")
			if err != nil || len(tags) > 0 != (tt.vlan == 77) {
				t.Errorf("%d tagged frames on the mirror, %v", len(tags), err)
			}
			if dropped := c.Dropped(); dropped["extension-dropped"] == 0 {
				t.Errorf("dropped frames in the audit trail: %v, want some with IP options", dropped)
			}
			if outcomes["bumped"] != 10 || outcomes["tunneled"] != 1 {
				t.Errorf("outcomes %v", outcomes)
			}
		})
	}
}
