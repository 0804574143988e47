package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

const shopName = "shop.example.test"

// keepPair copies a certificate and its key to where the appliance finds them.
func (c *scene) keepPair(name string, pair lab.KeyPair) {
	c.Helper()
	c.write(filepath.Join(c.dir, name+".crt"), c.readFile(pair.CertFile))
	c.write(filepath.Join(c.dir, name+".key"), c.readFile(pair.KeyFile))
}

// TestInbound shows clients origins' own certificates, by server name, and tells
// origins whose connection it is.
func TestInbound(t *testing.T) {
	var shop lab.KeyPair
	c := newScene(t, settings{
		intake: `{name: inbound, mode: static, listen: ":8443", origin: "` + lab.OriginV4 + `:443", certificates: [{certificate: site.crt, key: site.key}, {certificate: shop.crt, key: shop.key}], proxy_protocol: {send: v2}}
  - {name: balanced, mode: static, listen: ":8444", origin: "` + lab.OriginV4 + `:443", certificate: site.crt, key: site.key, proxy_protocol: {from: [` + lab.ClientV4 + `/32], send: v1}}`,
		prepare: func(c *scene) {
			var err error
			if shop, err = c.pki.Issue(shopName); err != nil {
				c.Fatal(err)
			}
			c.keepPair("site", c.cert)
			c.keepPair("shop", shop)
		},
	})
	web, err := lab.StartNginx(c.Origin, c.directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.cert, Proxied: true}, {Port: lab.TLSPort, Names: []string{shopName}, Certificate: &shop, Proxied: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	page := c.page(web, "page.bin", 5000)
	for name, want := range map[string]lab.KeyPair{webName: c.cert, shopName: shop, "unknown.test": c.cert} {
		conn, err := c.Client.DialContext(c.ctx, "tcp", net.JoinHostPort(lab.BoxLANV4, "8443"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		leaf, err := peer(c.ctx, conn, name)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, leaf.Raw, want.Leaf.Raw)
	}
	c.ca = c.pki.RootFile
	head := filepath.Join(c.TempDir(), "head")
	for _, args := range [][]string{
		{"--connect-to", shopName + "::" + lab.BoxLANV4 + ":8443", "https://" + shopName + "/page.bin"},
		{"--haproxy-protocol", "--connect-to", webName + "::" + lab.BoxLANV4 + ":8444", "https://" + webName + "/page.bin"},
	} {
		x := c.fetch(append([]string{"--http1.1", "--dump-header", head}, args...)...)
		same(t, "page", x.content, page)
		if got := string(c.readFile(head)); !strings.Contains(got, "X-Client: "+lab.ClientV4+"\r\n") {
			t.Errorf("the origin sees another client: %s", got)
		}
	}
	c.refused(c.ca, "--connect-to", webName+"::"+lab.BoxLANV4+":8444", "https://"+webName+"/page.bin") // without a header
	c.stop()
	for _, e := range c.entries() {
		if e.ForgedSerial != "" || e.Client.Addr().String() != lab.ClientV4 {
			t.Errorf("%+v", e)
		}
	}
}

// TestInboundRouted has a gateway show the origin's own certificate where it is
// valid for the server name, and forge others.
func TestInboundRouted(t *testing.T) {
	c := newScene(t, settings{
		intake: strings.TrimSuffix(everyPort, "}") + ", certificates: [{certificate: site.crt, key: site.key}]}",
		prepare: func(c *scene) {
			c.keepPair("site", c.cert)
		},
	})
	shop, err := c.pki.Issue(shopName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartNginx(c.Origin, c.directory("nginx"), []lab.Site{
		{Port: lab.TLSPort, Certificate: &c.cert}, {Port: lab.TLSPort, Names: []string{shopName}, Certificate: &shop},
	}); err != nil {
		t.Fatal(err)
	}
	for name, own := range map[string]bool{webName: true, mailName: true, shopName: false} {
		leaf, err := peer(c.ctx, c.dial(lab.TLSPort), name)
		if err != nil {
			t.Fatal(err)
		}
		if string(leaf.Raw) == string(c.cert.Leaf.Raw) != own {
			t.Errorf("%s: shown %s by %s", name, leaf.Subject, leaf.Issuer)
		}
	}
	c.stop()
	for _, e := range c.entries() {
		if e.Outcome != "bumped" || (e.ForgedSerial == "") != (e.SNI != shopName) {
			t.Errorf("%+v", e)
		}
	}
}
