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
)

// TestUntouched covers the actions under which nothing is decrypted: tunnel,
// tunnel-check and terminate.
func TestUntouched(t *testing.T) {
	c := newScene(t, settings{policy: `
  default: bump
  rules:
    - {name: private, host: [bank.test, "*.bank.test"], action: tunnel}
    - {name: checked, host: [` + webName + `, other.example.test], action: tunnel-check}
    - {name: evil, host: ["*.evil.test"], action: terminate}`})
	web := c.nginx()
	page := c.page(web, "page.bin", 50_000)
	bank, err := c.pki.Issue("www.bank.test")
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan *heard, 1)
	echo := c.echo(&tls.Config{Certificates: []tls.Certificate{c.pair(bank)}})
	c.listen(6443, func(conn net.Conn) {
		h := &heard{Conn: conn}
		echo(h)
		arrived <- h
	})
	c.listen(6666, c.echo(&tls.Config{Certificates: []tls.Certificate{c.pair(c.cert)}}))
	wan, err := lab.StartCapture(c.Box, lab.WANInterface, filepath.Join(c.directory("wan"), "wan.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	rules := make(map[ends][]string) // what the entry must say

	for _, row := range carvings {
		t.Run("tunnel, hello "+row.name, func(t *testing.T) {
			c := c.in(t)
			conn := &carving{Conn: c.dial(6443), record: row.record, segment: row.segment}
			client := tls.Client(conn, &tls.Config{RootCAs: c.pool(c.pki.RootFile), ServerName: "www.bank.test"})
			if err := client.HandshakeContext(c.ctx); err != nil {
				t.Fatal(err)
			}
			same(t, "certificate", client.ConnectionState().PeerCertificates[0].Raw, bank.Leaf.Raw)
			c.echoed(client, row.name)
			same(t, "what the origin heard", (<-arrived).all(), conn.written)
			rules[localPort(conn)] = []string{"private", "tunnel", "tunneled", ""}
		})
	}
	t.Run("tunnel-check, name belongs to the origin", func(t *testing.T) {
		c := c.in(t)
		c.ca = c.pki.RootFile
		x := c.fetch("https://" + webName + "/page.bin")
		same(t, "client", x.content, page)
		rules[x.port] = []string{"checked", "tunnel-check", "tunneled", ""}
	})
	t.Run("tunnel-check, name does not", func(t *testing.T) {
		c := c.in(t)
		conn := c.dial(lab.TLSPort)
		if _, err := peer(c.ctx, conn, "other.example.test"); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("want an alert access denied, got %v", err)
		}
		rules[localPort(conn)] = []string{"checked", "tunnel-check", "terminated", "name-mismatch-check"}
	})
	t.Run("terminate", func(t *testing.T) {
		c := c.in(t)
		conn := c.dial(6666)
		if _, err := peer(c.ctx, conn, "www.evil.test"); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("want an alert access denied, got %v", err)
		}
		rules[localPort(conn)] = []string{"evil", "terminate", "terminated", "policy"}
	})
	t.Run("terminate, plain", func(t *testing.T) {
		c := c.in(t)
		conn := c.dial(6666)
		conn.Write([]byte("GET / HTTP/1.1\r\nHost: www.evil.test\r\n\r\n"))
		if got, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 403 ") {
			t.Errorf("read %q, %v", got, err)
		}
		rules[localPort(conn)] = []string{"evil", "terminate", "terminated", "policy"}
	})
	if t.Failed() {
		return
	}
	if recorded := c.stop(); len(recorded) != 0 {
		t.Errorf("%d conversations on the mirror", len(recorded))
	}
	entries := c.entries()
	if len(entries) != len(rules) {
		t.Errorf("%d entries for %d sessions", len(entries), len(rules))
	}
	for port, want := range rules {
		e := c.entryOf(entries, port)
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
		packets, err := lab.Fields(c.ctx, wan.File, look.filter, "frame.number")
		if err != nil || (len(packets) > 0) != look.seen {
			t.Errorf("%s: %d packets towards the origin, %v", look.filter, len(packets), err)
		}
	}
}
