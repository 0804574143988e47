package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestStatic has listeners with one origin each: with a forged certificate and a
// server name of the operator's, and with the origin's own certificate.
func TestStatic(t *testing.T) {
	const hidden = "hidden.example.test"
	c := newScene(t, settings{
		intake: `{name: fixed, mode: static, listen: ":10443", origin: "` + lab.OriginV4 + `:443", sni: ` + hidden + `}
  - {name: inbound, mode: static, listen: ":8443", origin: "` + lab.OriginV4 + `:443", certificate: site.crt, key: site.key}`,
		prepare: func(c *scene) {
			c.write(filepath.Join(c.dir, "site.crt"), c.readFile(c.cert.CertFile))
			c.write(filepath.Join(c.dir, "site.key"), c.readFile(c.cert.KeyFile))
		},
	})
	// Only who asks by the hidden name gets a certificate that is valid for the
	// address of the listener.
	named, err := c.pki.Issue(hidden, lab.BoxLANV4)
	if err != nil {
		t.Fatal(err)
	}
	web, err := lab.StartNginx(c.Origin, c.directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.cert},
		{Port: lab.TLSPort, Names: []string{hidden}, Certificate: &named},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := c.page(web, "page.bin", 50_000)

	var fixed, own, inbound ends
	t.Run("client names no server", func(t *testing.T) {
		x := c.in(t).fetch("--http1.1", "https://"+lab.BoxLANV4+":10443/page.bin")
		same(t, "client", x.content, page)
		fixed = x.port
	})
	t.Run("client's server name goes first", func(t *testing.T) {
		x := c.in(t).fetch("--http1.1", "--connect-to", mailName+"::"+lab.BoxLANV4+":10443", "https://"+mailName+"/page.bin")
		same(t, "client", x.content, page)
		own = x.port
	})
	t.Run("inbound", func(t *testing.T) {
		c := c.in(t)
		c.ca = c.pki.RootFile
		x := c.fetch("--http1.1", "--connect-to", mailName+"::"+lab.BoxLANV4+":8443", "https://"+mailName+"/page.bin")
		same(t, "client", x.content, page)
		inbound = x.port
		conn, err := c.Client.DialContext(c.ctx, "tcp", net.JoinHostPort(lab.BoxLANV4, "8443"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		leaf, err := peer(c.ctx, conn, webName)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "certificate", leaf.Raw, c.cert.Leaf.Raw)
	})
	if t.Failed() {
		return
	}
	recorded := c.stop()
	entries := c.entries()
	for _, row := range []struct {
		port        ends
		intake, sni string
		forged      bool
	}{
		{fixed, "fixed", "", true},
		{own, "fixed", mailName, true},
		{inbound, "inbound", mailName, false},
	} {
		e, v := c.entryOf(entries, row.port), c.conversationOf(recorded, row.port)
		if e.Intake != row.intake || e.SNI != row.sni || (e.ForgedSerial != "") != row.forged ||
			e.Outcome != "bumped" || e.Reason != "" || e.TLSOrigin.Verdict != "ok" {
			t.Errorf("%s: %+v", row.intake, e)
		}
		if v.Origin.String() != lab.OriginV4+":443" || !strings.HasSuffix(string(v.Streams[1]), string(page)) {
			t.Errorf("%s: recorded as to %v, %d octets", row.intake, v.Origin, len(v.Streams[1]))
		}
	}
}
