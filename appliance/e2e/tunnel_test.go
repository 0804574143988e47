package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestUntouched covers the actions under which nothing is decrypted: tunnel,
// tunnel-check and terminate.
func TestUntouched(t *testing.T) {
	c := newScene(t, settings{Hosts: lab.OriginV4 + " www.bank.test\n", Policy: `
  default: bump
  rules:
    - {name: private, host: [bank.test, "*.bank.test"], action: tunnel}
    - {name: checked, host: [` + webName + `, other.example.test], action: tunnel-check}
    - {name: evil, host: ["*.evil.test"], action: terminate}`})
	web := c.Nginx()
	page := c.Page(web, "page.bin", 50_000)
	bank, err := c.PKI.Issue("www.bank.test")
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan *heard, 1)
	echo := c.Echo(&tls.Config{Certificates: []tls.Certificate{c.Pair(bank)}})
	c.Listen(6443, func(conn net.Conn) {
		h := &heard{Conn: conn}
		echo(h)
		arrived <- h
	})
	c.Listen(6666, c.Echo(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}))
	wan, err := lab.StartCapture(c.Box, lab.WANInterface, filepath.Join(c.Directory("wan"), "wan.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	rules := make(map[ends][]string) // what the entry must say

	for _, row := range carvings {
		t.Run("tunnel, hello "+row.name, func(t *testing.T) {
			c := c.In(t)
			conn := &carving{Conn: c.Dial(6443), record: row.record, segment: row.segment}
			client := tls.Client(conn, &tls.Config{RootCAs: c.Pool(c.PKI.RootFile), ServerName: "www.bank.test"})
			if err := client.HandshakeContext(c.Ctx); err != nil {
				t.Fatal(err)
			}
			scenetest.Same(t, "certificate", client.ConnectionState().PeerCertificates[0].Raw, bank.Leaf.Raw)
			c.echoed(client, row.name)
			scenetest.Same(t, "what the origin heard", (<-arrived).all(), conn.written)
			rules[scenetest.LocalPort(conn)] = []string{"private", "tunnel", "tunneled", ""}
		})
	}
	t.Run("tunnel-check, name belongs to the origin", func(t *testing.T) {
		c := c.In(t)
		c.CA = c.PKI.RootFile
		x := c.Fetch("https://" + webName + "/page.bin")
		scenetest.Same(t, "client", x.Content, page)
		rules[x.Ends] = []string{"checked", "tunnel-check", "tunneled", ""}
	})
	t.Run("tunnel-check, name does not", func(t *testing.T) {
		c := c.In(t)
		conn := c.Dial(lab.TLSPort)
		if _, err := peer(c.Ctx, conn, "other.example.test"); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("want an alert access denied, got %v", err)
		}
		rules[scenetest.LocalPort(conn)] = []string{"checked", "tunnel-check", "terminated", "name-mismatch-check"}
	})
	t.Run("terminate", func(t *testing.T) {
		c := c.In(t)
		conn := c.Dial(6666)
		if _, err := peer(c.Ctx, conn, "www.evil.test"); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("want an alert access denied, got %v", err)
		}
		rules[scenetest.LocalPort(conn)] = []string{"evil", "terminate", "terminated", "policy"}
	})
	t.Run("terminate, plain", func(t *testing.T) {
		c := c.In(t)
		conn := c.Dial(6666)
		conn.Write([]byte("GET / HTTP/1.1\r\nHost: www.evil.test\r\n\r\n"))
		if got, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 403 ") {
			t.Errorf("read %q, %v", got, err)
		}
		rules[scenetest.LocalPort(conn)] = []string{"evil", "terminate", "terminated", "policy"}
	})
	if t.Failed() {
		return
	}
	if recorded := c.Stop(); len(recorded) != 0 {
		t.Errorf("%d conversations on the mirror", len(recorded))
	}
	entries := c.Entries()
	if len(entries) != len(rules) {
		t.Errorf("%d entries for %d sessions", len(entries), len(rules))
	}
	for port, want := range rules {
		e := c.EntryOf(entries, port)
		if diff := cmp.Diff(want, []string{e.Rule, e.Action, e.Outcome, e.Reason}); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
		if e.ForgedSerial != "" || len(e.Mirror) != 0 || e.Outcome == "tunneled" && e.Octets["origin_to_client"] == 0 {
			t.Errorf("entry %+v", e)
		}
	}

	if _, err := wan.Stop(); err != nil {
		t.Error(err)
	}
	for _, look := range []struct {
		filter string
		seen   bool
	}{
		{"tcp.dstport == 6443 && ip.src == " + lab.ClientV4, true}, // so that we know what to look for
		{"tcp.port == 6666", false},
	} {
		packets, err := lab.Fields(c.Ctx, wan.File, look.filter, "frame.number")
		if err != nil || (len(packets) > 0) != look.seen {
			t.Errorf("%s: %d packets towards the origin, %v", look.filter, len(packets), err)
		}
	}
}
