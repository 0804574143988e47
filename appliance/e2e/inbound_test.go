package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

const shopName = "shop.example.test"

// keepPair copies a certificate and its key to where the appliance finds them.
func (c *scene) keepPair(name string, pair lab.KeyPair) {
	c.Helper()
	c.Write(filepath.Join(c.Dir, name+".crt"), c.ReadFile(pair.CertFile))
	c.Write(filepath.Join(c.Dir, name+".key"), c.ReadFile(pair.KeyFile))
}

// TestInbound shows clients origins' own certificates, by server name, and tells
// origins whose connection it is.
func TestInbound(t *testing.T) {
	var shop lab.KeyPair
	c := newScene(t, settings{
		Intake: `{name: inbound, mode: static, listen: ":8443", origin: "` + lab.OriginV4 + `:443", certificates: [{certificate: site.crt, key: site.key}, {certificate: shop.crt, key: shop.key}], proxy_protocol: {send: v2}}
  - {name: balanced, mode: static, listen: ":8444", origin: "` + lab.OriginV4 + `:443", certificate: site.crt, key: site.key, proxy_protocol: {from: [` + lab.ClientV4 + `/32], send: v1}}`,
		Prepare: prepared(func(c *scene) {
			var err error
			if shop, err = c.PKI.Issue(shopName); err != nil {
				c.Fatal(err)
			}
			c.keepPair("site", c.Cert)
			c.keepPair("shop", shop)
		}),
	})
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.Cert, Proxied: true}, {Port: lab.TLSPort, Names: []string{shopName}, Certificate: &shop, Proxied: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page.bin", 5000)
	for name, want := range map[string]lab.KeyPair{webName: c.Cert, shopName: shop, "unknown.test": c.Cert} {
		conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(lab.BoxLANV4, "8443"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		leaf, err := peer(c.Ctx, conn, name)
		if err != nil {
			t.Fatal(err)
		}
		scenetest.Same(t, name, leaf.Raw, want.Leaf.Raw)
	}
	c.CA = c.PKI.RootFile
	head := filepath.Join(c.TempDir(), "head")
	for _, args := range [][]string{
		{"--connect-to", shopName + "::" + lab.BoxLANV4 + ":8443", "https://" + shopName + "/page.bin"},
		{"--haproxy-protocol", "--connect-to", webName + "::" + lab.BoxLANV4 + ":8444", "https://" + webName + "/page.bin"},
	} {
		x := c.Fetch(append([]string{"--http1.1", "--dump-header", head}, args...)...)
		scenetest.Same(t, "page", x.Content, page)
		if got := string(c.ReadFile(head)); !strings.Contains(got, "X-Client: "+lab.ClientV4+"\r\n") {
			t.Errorf("the origin sees another client: %s", got)
		}
	}
	c.refused(c.CA, "--connect-to", webName+"::"+lab.BoxLANV4+":8444", "https://"+webName+"/page.bin") // without a header
	c.Stop()
	for _, e := range c.Entries() {
		if e.ForgedSerial != "" || e.Client.Addr().String() != lab.ClientV4 {
			t.Errorf("%+v", e)
		}
	}
}

// TestInboundRouted has a gateway show the origin's own certificate where it is
// valid for the server name, and forge others.
func TestInboundRouted(t *testing.T) {
	c := newScene(t, settings{
		Intake: strings.TrimSuffix(everyPort, "}") + ", certificates: [{certificate: site.crt, key: site.key}]}",
		Prepare: prepared(func(c *scene) {
			c.keepPair("site", c.Cert)
		}),
	})
	shop, err := c.PKI.Issue(shopName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.Cert}, {Port: lab.TLSPort, Names: []string{shopName}, Certificate: &shop},
	}); err != nil {
		t.Fatal(err)
	}
	for name, own := range map[string]bool{webName: true, mailName: true, shopName: false} {
		leaf, err := peer(c.Ctx, c.Dial(lab.TLSPort), name)
		if err != nil {
			t.Fatal(err)
		}
		if string(leaf.Raw) == string(c.Cert.Leaf.Raw) != own {
			t.Errorf("%s: shown %s by %s", name, leaf.Subject, leaf.Issuer)
		}
	}
	c.Stop()
	for _, e := range c.Entries() {
		if e.Outcome != "bumped" || (e.ForgedSerial == "") != (e.SNI != shopName) {
			t.Errorf("%+v", e)
		}
	}
}
