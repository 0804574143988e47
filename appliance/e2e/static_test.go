package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestStatic has listeners with one origin each: with a forged certificate and a
// server name of the operator's, and with the origin's own certificate.
func TestStatic(t *testing.T) {
	const hidden = "hidden.example.test"
	c := newScene(t, settings{
		Intake: `{name: fixed, mode: static, listen: ":10443", origin: "` + lab.OriginV4 + `:443", sni: ` + hidden + `}
  - {name: inbound, mode: static, listen: ":8443", origin: "` + lab.OriginV4 + `:443", certificate: site.crt, key: site.key}`,
		Prepare: prepared(func(c *scene) {
			c.Write(filepath.Join(c.Dir, "site.crt"), c.ReadFile(c.Cert.CertFile))
			c.Write(filepath.Join(c.Dir, "site.key"), c.ReadFile(c.Cert.KeyFile))
		}),
	})
	// Only who asks by the hidden name gets a certificate that is valid for the
	// address of the listener.
	named, err := c.PKI.Issue(hidden, lab.BoxLANV4)
	if err != nil {
		t.Fatal(err)
	}
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.Cert},
		{Port: lab.TLSPort, Names: []string{hidden}, Certificate: &named},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page.bin", 50_000)

	var fixed, own, inbound ends
	t.Run("client names no server", func(t *testing.T) {
		x := c.In(t).Fetch("--http1.1", "https://"+lab.BoxLANV4+":10443/page.bin")
		scenetest.Same(t, "client", x.Content, page)
		fixed = x.Ends
	})
	t.Run("client's server name goes first", func(t *testing.T) {
		x := c.In(t).Fetch("--http1.1", "--connect-to", mailName+"::"+lab.BoxLANV4+":10443", "https://"+mailName+"/page.bin")
		scenetest.Same(t, "client", x.Content, page)
		own = x.Ends
	})
	t.Run("inbound", func(t *testing.T) {
		c := c.In(t)
		c.CA = c.PKI.RootFile
		x := c.Fetch("--http1.1", "--connect-to", mailName+"::"+lab.BoxLANV4+":8443", "https://"+mailName+"/page.bin")
		scenetest.Same(t, "client", x.Content, page)
		inbound = x.Ends
		conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(lab.BoxLANV4, "8443"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		leaf, err := peer(c.Ctx, conn, webName)
		if err != nil {
			t.Fatal(err)
		}
		scenetest.Same(t, "certificate", leaf.Raw, c.Cert.Leaf.Raw)
	})
	if t.Failed() {
		return
	}
	recorded := c.Stop()
	entries := c.Entries()
	for _, row := range []struct {
		port        ends
		intake, sni string
		forged      bool
	}{
		{fixed, "fixed", "", true},
		{own, "fixed", mailName, true},
		{inbound, "inbound", mailName, false},
	} {
		e, v := c.EntryOf(entries, row.port), c.ConversationOf(recorded, row.port)
		if e.Intake != row.intake || e.SNI != row.sni || (e.ForgedSerial != "") != row.forged ||
			e.Outcome != "bumped" || e.Reason != "" || e.TLSOrigin.Verdict != "ok" {
			t.Errorf("%s: %+v", row.intake, e)
		}
		if v.Origin.String() != lab.OriginV4+":443" || !strings.HasSuffix(string(v.Streams[1]), string(page)) {
			t.Errorf("%s: recorded as to %v, %d octets", row.intake, v.Origin, len(v.Streams[1]))
		}
	}
}
