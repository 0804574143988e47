package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// pinned has openssl, which trusts the origin's authority alone, ask for the page
// from an address of the client's, and reports whether it got it.
func (c *scene) pinned(from string) bool {
	c.Helper()
	r, err := lab.OpenSSL(c.Ctx, c.Client, "GET /page.bin HTTP/1.1\r\nHost: "+webName+"\r\nConnection: close\r\n\r\n",
		"-quiet", "-bind", from+":0", "-connect", lab.OriginV4+":443", "-servername", webName, "-verify_return_error",
		"-verify_hostname", webName, "-CAfile", c.PKI.RootFile)
	if err != nil && !strings.Contains(r.Stderr, "verify error") {
		c.Errorf("openssl: %v\n%s", err, r.Stderr)
	}
	return strings.Contains(r.Stdout, "200 OK")
}

// issuer returns whose certificate a client sees that asks for name from an
// address of its own.
func (c *scene) issuer(from, name string) string {
	c.Helper()
	r, err := lab.OpenSSL(c.Ctx, c.Client, "", "-bind", from+":0", "-connect", lab.OriginV4+":443", "-servername", name)
	if err != nil {
		c.Errorf("openssl: %v\n%s", err, r.Stderr)
	}
	for line := range strings.Lines(r.Stdout) {
		if issuer, ok := strings.CutPrefix(line, "issuer="); ok {
			return issuer
		}
	}
	return ""
}

// TestLearnPinned: a client that refuses our certificate is tunneled after three
// times, by a gateway and by a wire; nobody else is; it outlives a restart, can be
// pinned and deleted, and expires.
func TestLearnPinned(t *testing.T) {
	const policy = `{default: bump, rules: [{name: closed, host: [mail.example.test], action: bump, learn: off}], learn: {pinned: {action: tunnel, for: 6s}}}`
	for _, tt := range []struct {
		name  string
		scene func(*testing.T) *scene
	}{
		{"gateway", func(t *testing.T) *scene { return newScene(t, settings{Policy: policy}) }},
		{"wire", func(t *testing.T) *scene { return wireScene(t, "late", policy, 0) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.scene(t)
			c.Page(c.Nginx(), "page.bin", 1000)
			own := lab.ClientV4
			if tt.name == "wire" {
				own = lab.WireClientV4
			}
			other := own[:strings.LastIndex(own, ".")] + ".77"
			if _, err := lab.Run(c.Ctx, c.Client, "", "ip", "addr", "add", other+"/24", "dev", lab.ClientInterface); err != nil {
				t.Fatal(err)
			}
			ours := func(from, name string) bool {
				return !strings.Contains(c.issuer(from, name), c.PKI.Root.Subject.CommonName)
			}
			for i := range 3 {
				if c.pinned(own) {
					t.Fatalf("refusal %d is none", i)
				}
			}
			c.AwaitLog(1, "client refuses our certificates for a host", `"host":"`+webName+`"`, `"action":"tunnel"`)
			if !c.pinned(own) {
				t.Error("not tunneled after three refusals")
			}
			if !ours(other, webName) || !ours(own, mailName) {
				t.Error("another client, or another host, is tunneled, too")
			}
			list := c.Clearspan("learned", "list", "-c", c.Appliance.ConfigFile)
			lines := strings.Split(strings.TrimSpace(list), "\n")
			if len(lines) != 2 || !strings.Contains(lines[1], "pinned") || !strings.Contains(lines[1], own) || !strings.Contains(lines[1], lab.OriginV4+":443") {
				t.Fatalf("list:\n%s", list)
			}
			id, _, _ := strings.Cut(lines[1], " ")
			c.Clearspan("learned", "pin", "-c", c.Appliance.ConfigFile, id)

			// Again, and by another process.
			if err := c.Appliance.Stop(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Second) // it would be over if nobody had pinned it
			var err error
			if c.Appliance, err = lab.StartAppliance(c.Box, c.Dir, scenetest.Binary, string(c.ReadFile(c.Appliance.ConfigFile))); err != nil {
				t.Fatal(err)
			}
			c.AwaitLog(2, `"msg":"ready"`)
			c.AwaitLog(1, "learned entries read", `"entries":1`)
			if tt.name == "wire" {
				c.AwaitTaking(c.wire)
			}
			if !c.pinned(own) || !ours(other, webName) {
				t.Error("after a restart: not as before")
			}
			c.Clearspan("learned", "delete", "-c", c.Appliance.ConfigFile, id)
			for range 3 {
				if c.pinned(own) {
					t.Error("deleted, and yet tunneled")
				}
			}
			if !c.pinned(own) {
				t.Error("not learned again")
			}
			time.Sleep(6 * time.Second)
			if c.pinned(own) {
				t.Error("does not expire")
			}
			if n := c.Metrics()[`clearspan_lessons_total{lesson="pinned"}`]; n != 1 {
				t.Errorf("metrics count %v since the restart", n)
			}
			c.Stop()
			learned, refused := 0, 0
			for _, e := range c.Entries() {
				if e.SNI != webName {
					continue
				}
				if e.Learned == "pinned" {
					learned++
					if e.Action != "tunnel" || e.Outcome != "tunneled" || e.Rule != "default" {
						t.Errorf("%+v", e)
					}
				}
				if e.TLSClient != nil && e.TLSClient.Refusal == "unknown_ca" {
					refused++
					if e.Taught != "pinned" || e.Reason != "client-handshake" {
						t.Errorf("%+v", e)
					}
				}
			}
			if learned != 3 || refused != 7 {
				t.Errorf("%d entries of tunneled sessions, %d of refusals", learned, refused)
			}
		})
	}
}

// TestLearnNothing: who resets connections, whose rule forbids it, or who refuses
// a bad origin's certificate teaches nothing; a Go client that pins a key does. By
// default that is told and changes nothing.
func TestLearnNothing(t *testing.T) {
	c := newScene(t, settings{Policy: `{default: bump, rules: [{name: closed, host: [mail.example.test], action: bump, learn: off}]}`})
	c.Page(c.Nginx(), "page.bin", 1000)
	pin := &tls.Config{ServerName: webName, InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
		if leaf, err := x509.ParseCertificate(raw[0]); err != nil || !bytes.Equal(leaf.RawSubjectPublicKeyInfo, c.Cert.Leaf.RawSubjectPublicKeyInfo) {
			return errors.New("this is not the key I know")
		}
		return nil
	}}
	attempt := func(name string) error {
		cfg := pin.Clone()
		cfg.ServerName = name
		conn, err := c.Secret(lab.TLSPort, cfg)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for range 5 {
		conn := c.Dial(lab.TLSPort).(*net.TCPConn)
		if err := tls.Client(conn, &tls.Config{ServerName: webName, RootCAs: c.Pool(c.CA)}).Handshake(); err != nil {
			t.Fatal(err)
		}
		conn.SetLinger(0)
		conn.Close()
		if attempt(mailName) == nil {
			t.Fatal("accepted")
		}
	}
	list := func() string { return c.Clearspan("learned", "list", "--json", "-c", c.Appliance.ConfigFile) }
	if got := list(); got != "" {
		t.Errorf("learned: %s", got)
	}
	for range 5 {
		if attempt(webName) == nil {
			t.Error("tunneled though the action is alert")
		}
	}
	c.AwaitLog(1, "client refuses our certificates for a host", `"action":"alert"`)
	if got := list(); !strings.Contains(got, `"why":"bad_certificate"`) {
		t.Errorf("listed: %q", got)
	}
	c.reconfigure("learn: off}]", "learn: off}], learn: {pinned: {action: tunnel}}", "reloaded")
	if err := attempt(webName); err != nil {
		t.Errorf("after the reload: %v", err)
	}
	if err := attempt(mailName); err == nil {
		t.Error("the rule's off does not hold")
	}
	c.Stop()
}

// TestAskedForCertificate: nginx asks for a client certificate. It says by a page, not by
// the handshake, whether it insists. Only the host that the operator has named is
// tunneled.
func TestAskedForCertificate(t *testing.T) {
	const named = "named.example.test"
	c := newScene(t, settings{Hosts: lab.OriginV4 + " " + webName + " " + named + "\n", Origin: "client_certificate_hosts: " + named})
	dir := c.Directory("mutual")
	cert, err := c.PKI.Issue(webName, named)
	if err != nil {
		t.Fatal(err)
	}
	web, err := lab.StartNginx(c.Origin, dir, []lab.Site{
		{Port: lab.TLSPort, Certificate: &cert, ClientCA: c.PKI.RootFile},
		{Port: 6443, Certificate: &cert, ClientCA: c.PKI.RootFile, ClientMust: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Write(filepath.Join(web.Root, "page.bin"), []byte("page"))
	for _, tt := range []struct{ host, port, roots, want string }{
		{webName, "443", c.CA, "page"},
		{webName, "6443", c.CA, "No required SSL certificate"},
		{webName, "6443", c.CA, "No required SSL certificate"},
		{named, "443", c.PKI.RootFile, "page"},
		{named, "6443", c.PKI.RootFile, "No required SSL certificate"},
	} {
		args := []string{"--resolve", tt.host + ":" + tt.port + ":" + lab.OriginV4, "https://" + tt.host + ":" + tt.port + "/page.bin"}
		r, err := lab.Curl(c.Ctx, c.Client, tt.roots, args...)
		if err != nil || !strings.Contains(r.Stdout, tt.want) {
			t.Errorf("%s:%s: %v: %s", tt.host, tt.port, err, r.Stdout)
		}
	}
	c.Stop()
	var got []string
	for _, e := range c.Entries() {
		got = append(got, strings.Join([]string{e.SNI, e.Outcome, e.BypassBy, e.Taught}, " "))
	}
	asked, passed := webName+" bumped  ", named+" tunneled origin "
	if want := []string{asked, asked, asked, passed + "client-certificate", passed + "client-certificate"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q", got)
	}
}
