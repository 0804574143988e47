package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestResumption has openssl resume sessions through the appliance with nginx as
// the origin: both legs resume, but not with another name and not with an origin that
// has gone bad. Clients resume after a reload and a restart, but not with another
// authority. What the mirror shows of such sessions is
// judged as in every test.
func TestResumption(t *testing.T) {
	c := newScene(t, settings{})
	web := c.Nginx()
	page := c.Page(web, "page", 20_000)
	type want struct {
		name           string
		client, origin bool
	}
	var wanted []want
	versions := []string{"-tls1_2", "-tls1_3"} // of both legs
	ports := map[string]int{"-tls1_2": lab.TLS12Port, "-tls1_3": lab.TLSPort}
	tickets := t.TempDir()
	step := func(name, version, host string, client, origin bool) {
		t.Helper()
		said := c.openssl(filepath.Join(tickets, version), ports[version], host, version)
		if reused := strings.Contains(said, "\nReused, TLSv1."); reused != client {
			t.Errorf("%s: %s is reused: %t", version, name, reused)
		}
		if !strings.Contains(said, string(page)) {
			t.Errorf("%s: %s: no page", version, name)
		}
		wanted = append(wanted, want{version + ": " + name, client, origin})
	}
	for _, v := range versions {
		step("first session", v, webName, false, false)
		step("second session", v, webName, true, true)
		step("third session", v, webName, true, true)
		step("session with another name", v, mailName, false, false)
	}
	var got map[string]float64
	scenetest.Eventually(t, "sixteen handshakes counted", func() bool { // those of a session when it has ended
		sum := 0.0
		got = c.Metrics()
		for name, n := range got {
			if strings.HasPrefix(name, "clearspan_handshakes_total{") {
				sum += n
			}
		}
		return sum >= 16
	})
	for _, leg := range []string{"client", "origin"} {
		for _, kind := range []string{"full", "resumed"} {
			name := `clearspan_handshakes_total{kind="` + kind + `",leg="` + leg + `"}`
			if got[name] != 4 {
				t.Errorf("%s is %v, want 4", name, got[name])
			}
		}
	}
	c.reload("reloaded")
	for _, v := range versions {
		step("session after a reload", v, mailName, true, false)
		step("second session after it", v, mailName, true, true)
	}
	c.restart()
	for _, v := range versions {
		step("session after a restart", v, mailName, true, false)
	}
	for _, name := range []string{"ca.crt", "ca.key"} { // the next start makes another authority
		if err := os.Remove(filepath.Join(filepath.Dir(c.CA), name)); err != nil {
			t.Fatal(err)
		}
	}
	c.restart()
	for _, v := range versions {
		step("session with another authority", v, mailName, false, false)
	}
	if err := web.Stop(); err != nil {
		t.Fatal(err)
	}
	expired, err := c.PKI.Expired(webName, mailName)
	if err != nil {
		t.Fatal(err)
	}
	if web, err = lab.StartNginx(c.Origin, c.Directory("expired"), lab.Sites(expired)); err != nil {
		t.Fatal(err)
	}
	c.Write(filepath.Join(web.Root, "page"), page)
	for _, v := range versions {
		step("session with a certificate that is over", v, mailName, false, false)
	}
	c.Stop()
	entries := c.Entries()
	if len(entries) != len(wanted) {
		t.Fatalf("%d audit entries, want %d", len(entries), len(wanted))
	}
	serials := make(map[string]string) // by chain and name: the leaf that the client knows
	for i, e := range entries {
		w := wanted[i]
		if e.TLSClient.Resumed != w.client || e.TLSOrigin.Resumed != w.origin {
			t.Errorf("%s: audit entry says client %t, origin %t; want %t, %t", w.name, e.TLSClient.Resumed, e.TLSOrigin.Resumed, w.client, w.origin)
		}
		verdict := "ok"
		if strings.Contains(w.name, "over") {
			verdict = "expired"
		}
		if e.Outcome != "bumped" || e.TLSOrigin.Verdict != verdict || e.TLSOrigin.Chain == "" || e.ForgedSerial == "" {
			t.Errorf("%s: %+v, %+v", w.name, e, *e.TLSOrigin)
		}
		key := e.SNI + e.TLSOrigin.Chain
		if before := serials[key]; w.client && before != e.ForgedSerial {
			t.Errorf("%s: leaf %s, in the session before it %s", w.name, e.ForgedSerial, before)
		}
		serials[key] = e.ForgedSerial
	}
}

// restart ends the appliance and starts it again.
func (c *scene) restart() {
	c.Helper()
	if err := c.Appliance.Stop(); err != nil {
		c.Fatal(err)
	}
	ready := strings.Count(c.Appliance.Log(), `"msg":"ready"`)
	var err error
	if c.Appliance, err = lab.StartAppliance(c.Box, c.Dir, scenetest.Binary, string(c.ReadFile(c.Appliance.ConfigFile))); err != nil {
		c.Fatal(err)
	}
	c.AwaitLog(ready+1, `"msg":"ready"`) // both processes write one log
}

// openssl asks an origin for /page by openssl s_client, with the ticket in a file
// if it is there, and puts the one that it gets there. It returns what openssl
// said.
func (c *scene) openssl(ticket string, port int, host string, args ...string) string {
	c.Helper()
	args = append(args, "-connect", net.JoinHostPort(lab.OriginV4, strconv.Itoa(port)), "-servername", host,
		"-CAfile", c.CA, "-alpn", "http/1.1", "-ign_eof", "-sess_out", ticket)
	if _, err := os.Stat(ticket); err == nil {
		args = append(args, "-sess_in", ticket)
	}
	r, err := lab.OpenSSL(c.Ctx, c.Client, "GET /page HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n", args...)
	if err != nil {
		c.Errorf("openssl %s: %v", strings.Join(args, " "), err)
	}
	return r.Stdout
}
