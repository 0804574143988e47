package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestReloadLists changes a list under load: a faulty one leaves the running
// generation alone and is told by its line, a good one holds for sessions that
// begin later, and no session is lost.
func TestReloadLists(t *testing.T) {
	var list string
	c := newScene(t, settings{
		Hosts:  lab.OriginV4 + " www.bank.test www.shop.test a.n99999.test\n",
		Policy: "{default: bump, lists: {finance: {file: finance.txt}}, rules: [{name: banks, category: finance, action: tunnel}]}",
		Prepare: prepared(func(c *scene) {
			list = filepath.Join(c.Dir, "finance.txt")
			c.Write(list, []byte("# banks\nbank.test\n"))
		}),
	})
	web := c.Nginx()
	load := &load{page: c.Page(web, "page.bin", 20_000), roots: c.Pool(c.CA)}
	stop := load.start(c)
	tunneled := func(name string) bool {
		t.Helper()
		conn := c.Dial(lab.TLSPort)
		defer conn.Close()
		leaf, err := peer(c.Ctx, conn, name)
		if err != nil {
			t.Fatal(err)
		}
		return leaf.Issuer.CommonName == c.PKI.Root.Subject.CommonName
	}
	if !tunneled("www.bank.test") || tunneled("www.shop.test") {
		t.Error("the list does not hold")
	}
	load.more(t, 20)
	c.Write(list, []byte("shop.test\n\nhttps://shop.test/\n"))
	c.reload("configuration unchanged")
	if log := c.Appliance.Log(); !strings.Contains(log, "finance.txt:3:") {
		t.Errorf("the log does not say where the fault is:\n%s", log)
	}
	if !tunneled("www.bank.test") || tunneled("www.shop.test") {
		t.Error("a faulty list had an effect")
	}
	load.more(t, 20)
	var entries strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&entries, "n%d.test\n", i)
	}
	c.Write(list, []byte(entries.String()+"shop.test\n"))
	c.reload("reloaded")
	if tunneled("www.bank.test") || !tunneled("www.shop.test") || !tunneled("a.n99999.test") {
		t.Error("the new list does not hold")
	}
	load.more(t, 20)
	stop()
	if n := load.failed.Load(); n > 0 {
		t.Errorf("%d of %d sessions failed, first: %v", n, load.done.Load(), load.first)
	}
	c.Stop()
	for _, e := range c.Entries() {
		if e.SNI == webName && (e.Outcome != "bumped" || e.Reason != "") {
			t.Errorf("session lost: %+v", e)
		}
	}
}

// TestMonitor tries a policy out: nothing is decrypted or ended, entries and
// metrics tell what would have been.
func TestMonitor(t *testing.T) {
	c := newScene(t, settings{Policy: `
  mode: monitor
  default: bump
  rules:
    - {name: banks, host: ["*.bank.test"], action: tunnel}
    - {name: evil, host: ["*.evil.test"], action: terminate}
    - {name: issued, issuer: nobody, action: terminate}`})
	web := c.Nginx()
	page := c.Page(web, "page.bin", 20_000)
	type would struct{ rule, action, would, outcome string }
	want := make(map[string]would)
	for _, row := range []struct {
		name string
		would
	}{
		{webName, would{"default", "tunnel", "bump", "tunneled"}},
		{"www.bank.test", would{"banks", "tunnel", "tunnel", "tunneled"}},
		{"www.evil.test", would{"evil", "tunnel", "terminate", "tunneled"}},
	} {
		conn := c.Dial(lab.TLSPort)
		leaf, err := peer(c.Ctx, conn, row.name)
		if err != nil || !slices.Equal(leaf.Raw, c.Cert.Leaf.Raw) {
			t.Errorf("%s: not the origin's certificate, %v", row.name, err)
		}
		conn.Close()
		want[row.name] = row.would
	}
	x := c.Fetch("http://" + webName + "/page.bin")
	scenetest.Same(t, "plain page", x.Content, page)
	scenetest.Eventually(t, "sessions have ended", func() bool { return scenetest.Opened(c.Metrics()) == 0 })
	m := c.Metrics()
	for action, n := range map[string]float64{"bump": 2, "tunnel": 1, "terminate": 1} {
		if got := m[`clearspan_policy_monitored_total{would="`+action+`"}`]; got != n {
			t.Errorf("%v sessions would have been %s, want %v", got, action, n)
		}
	}
	if forged := m["clearspan_forged_leaves_total"]; forged != 0 {
		t.Errorf("%v leaves forged", forged)
	}
	recorded := c.Stop()
	if len(recorded) != 1 || !strings.HasPrefix(string(recorded[0].Streams[0]), "GET /page.bin") {
		t.Errorf("%d conversations on the mirror, want the plain one", len(recorded))
	}
	for _, e := range c.Entries() {
		if e.SNI == "" {
			if e.Outcome != "plain" || e.Would != "bump" {
				t.Errorf("plain session: %+v", e)
			}
			continue
		}
		if got := (would{e.Rule, e.Action, e.Would, e.Outcome}); got != want[e.SNI] {
			t.Errorf("%s: %+v, want %+v", e.SNI, got, want[e.SNI])
		}
	}
}

// certificateRules ask for what the origin shows.
const certificateRules = `
  default: bump
  rules:
    - {name: named, port: 6443, origin_name: ["*.` + domain + `"], action: tunnel}
    - {name: foreign, port: 6444, issuer: Nobody, action: tunnel}
    - {name: unwanted, port: 6445, origin_name: ` + webName + `, action: terminate}
    - {name: believed, port: 6446, origin_name: bank.test, action: tunnel}`

// TestCertificateRules decides by the origin's certificate, at a gateway and in the
// wire, where a connection that is taken over for that is tunneled after all.
func TestCertificateRules(t *testing.T) {
	for _, of := range []struct {
		name  string
		scene func(t *testing.T) *scene
	}{
		{"gateway", func(t *testing.T) *scene { return newScene(t, settings{Policy: certificateRules}) }},
		{"wire", func(t *testing.T) *scene { return wireScene(t, "late", certificateRules, 0) }},
	} {
		t.Run(of.name, func(t *testing.T) {
			c := of.scene(t)
			c.Page(c.Nginx(), "page.bin", 1000) // is fetched when a wire has no process
			own, err := c.PKI.SelfSigned("bank.test")
			if err != nil {
				t.Fatal(err)
			}
			c.origins(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}, 6443, 6444, 6445)
			c.origins(&tls.Config{Certificates: []tls.Certificate{c.Pair(own)}}, 6446)
			want := make(map[ends]string)
			for _, row := range []struct {
				port        int
				sni, issuer string // of the certificate that the client sees; empty: an alert
				entry       string
			}{
				{6443, webName, c.PKI.Root.Subject.CommonName, "named tunneled"},
				{6444, webName, "clearspan", "default bumped"},
				{6445, webName, "", "unwanted terminated"},
				{6446, "bank.test", "clearspan", "default bumped"}, // nobody vouches for the name
			} {
				conn := c.Dial(row.port)
				client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: row.sni})
				err := client.HandshakeContext(c.Ctx)
				want[scenetest.LocalPort(conn)] = row.entry
				if row.issuer == "" {
					if err == nil || !strings.Contains(err.Error(), "access denied") {
						t.Errorf("port %d: client saw %v", row.port, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("port %d: %v", row.port, err)
					continue
				}
				if issuer := client.ConnectionState().PeerCertificates[0].Issuer.CommonName; !strings.Contains(strings.ToLower(issuer), strings.ToLower(row.issuer)) {
					t.Errorf("port %d: certificate of %q, want %q", row.port, issuer, row.issuer)
				}
				c.echoed(client, "through")
			}
			if recorded := c.Stop(); len(recorded) != 2 {
				t.Errorf("%d conversations on the mirror", len(recorded))
			}
			seen := 0
			for _, e := range c.Entries() {
				if of, ok := want[e.Ends()]; ok {
					seen++
					if got := e.Rule + " " + e.Outcome; got != of {
						t.Errorf("entry %q, want %q: %+v", got, of, e)
					}
				}
			}
			if seen != len(want) {
				t.Errorf("%d entries of %d sessions", seen, len(want))
			}
		})
	}
}

// TestEvents gives events an action and has others noted.
func TestEvents(t *testing.T) {
	c := newScene(t, settings{
		Intake: `{name: proxy, mode: explicit, listen: ":` + proxyPort + `", from: ` + labClients + `}`,
		Hosts:  lab.OriginV4 + " " + webName + "\n192.0.2.99 elsewhere.example.test\n",
		Policy: `
  default: bump
  events: {no-sni: terminate, sni-unresolved: log, no-shared-cipher: tunnel, sni-mismatch: log}`,
	})
	cbc := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	c.origins(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}, 6443)
	want := make(map[uint16]string)
	for _, row := range []struct {
		target string
		config *tls.Config
		said   string
		entry  string
	}{
		{lab.OriginV4, &tls.Config{}, "", "event:no-sni terminated [no-sni]"},
		{webName, &tls.Config{ServerName: webName}, "text", "default bumped []"},
		{webName, &tls.Config{ServerName: "other." + domain}, "text", "default bumped [sni-mismatch]"}, // no DNS: who knows
		{lab.OriginV4, &tls.Config{ServerName: "elsewhere.example.test"}, "text", "default bumped [sni-unresolved]"},
		{webName, &tls.Config{ServerName: webName}, "GET / HTTP/1.1\r\nHost: front.example.test\r\n\r\n", "default bumped [sni-mismatch]"},
		{webName, &tls.Config{ServerName: webName, MaxVersion: tls.VersionTLS12, CipherSuites: cbc}, "text", "event:no-shared-cipher tunneled [no-shared-cipher]"},
	} {
		conn := c.connect(net.JoinHostPort(row.target, "6443"))
		row.config.InsecureSkipVerify = true
		client := tls.Client(conn, row.config)
		err := client.HandshakeContext(c.Ctx)
		want[scenetest.LocalPort(conn).Client] = row.entry
		if row.said == "" {
			if err == nil {
				t.Errorf("%s: client was let through", row.entry)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", row.entry, err)
			continue
		}
		io.WriteString(client, row.said)
		if strings.Contains(row.entry, "[sni-") {
			time.Sleep(time.Second) // names are looked up beside the session
		}
		client.CloseWrite()
		if got, err := io.ReadAll(client); err != nil || string(got) != row.said {
			t.Errorf("%s: %q came back, %v", row.entry, got, err)
		}
		client.Close()
	}
	scenetest.Eventually(t, "sessions have ended", func() bool { return scenetest.Opened(c.Metrics()) == 0 })
	m := c.Metrics()
	for event, n := range map[string]float64{"no-sni": 1, "sni-mismatch": 2, "sni-unresolved": 1, "no-shared-cipher": 1} {
		if got := m[`clearspan_policy_events_total{event="`+event+`"}`]; got != n {
			t.Errorf("%v times %s, want %v", got, event, n)
		}
	}
	c.Stop()
	for _, e := range c.Entries() {
		if got := fmt.Sprint(e.Rule, " ", e.Outcome, " ", e.Events); got != want[e.Client.Port()] {
			t.Errorf("entry %q, want %q", got, want[e.Client.Port()])
		}
	}
}

// TestResolve has the server name say where sessions go, whatever address they
// were sent to.
func TestResolve(t *testing.T) {
	const nobody = "192.0.2.99"
	for _, mode := range []string{"explicit", "transparent"} {
		t.Run(mode, func(t *testing.T) {
			s := settings{Hosts: lab.OriginV4 + " " + webName + "\n", Origin: "resolve: sni"}
			if mode == "explicit" {
				s.Intake = `{name: proxy, mode: explicit, listen: ":` + proxyPort + `", from: ` + labClients + `}`
			}
			c := newScene(t, s)
			c.origins(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}, 6443)
			reach := func(address string) net.Conn {
				if mode == "explicit" {
					return c.connect(net.JoinHostPort(address, "6443"))
				}
				conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(address, "6443"))
				if err != nil {
					t.Fatal(err)
				}
				c.Cleanup(func() { conn.Close() })
				return conn
			}
			want := make(map[uint16]string)
			for _, row := range []struct{ address, entry string }{
				{nobody, nobody + ":6443 bumped"}, {lab.OriginV4, "invalid AddrPort bumped"},
			} {
				conn := reach(row.address)
				client := tls.Client(conn, &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName})
				if err := client.HandshakeContext(c.Ctx); err != nil {
					t.Fatalf("to %s: %v", row.address, err)
				}
				c.echoed(client, row.address)
				want[scenetest.LocalPort(conn).Client] = row.entry
			}
			for _, v := range c.Stop() {
				if scenetest.Unmapped(v.Origin).Addr().String() != lab.OriginV4 {
					t.Errorf("recorded at %v", v.Origin)
				}
			}
			for _, e := range c.Entries() {
				if got := fmt.Sprint(e.Destination, " ", e.Outcome); got != want[e.Client.Port()] || e.Origin.Addr().String() != lab.OriginV4 {
					t.Errorf("entry %q, want %q: %+v", got, want[e.Client.Port()], e)
				}
			}
		})
	}
}
