package e2e

import (
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// reconfigure replaces a part of the configuration file and has the appliance
// read it again. It waits for the log line with the message.
func (c *scene) reconfigure(old, new, message string) {
	c.Helper()
	text, err := os.ReadFile(c.appliance.ConfigFile)
	if err != nil || strings.Count(string(text), old) != 1 {
		c.Fatalf("not once in the configuration: %q (%v)", old, err)
	}
	c.write(c.appliance.ConfigFile, []byte(strings.Replace(string(text), old, new, 1)))
	c.reload(message)
}

func (c *scene) reload(message string) {
	c.Helper()
	message = `"msg":"` + message + `"`
	before := strings.Count(c.appliance.Log(), message)
	if err := c.appliance.Signal(syscall.SIGHUP); err != nil {
		c.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); strings.Count(c.appliance.Log(), message) == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("no %s in the log:\n%s", message, c.appliance.Log())
		}
	}
}

// TestInvalidOrigins meets origins that nobody should trust in all three ways.
func TestInvalidOrigins(t *testing.T) {
	const choice = "{default: untrusted}"
	c := newScene(t, settings{origin: "on_invalid: " + choice})
	expired, err := c.pki.Expired("old.example.test")
	if err != nil {
		t.Fatal(err)
	}
	selfSigned, err := c.pki.SelfSigned("self.example.test")
	if err != nil {
		t.Fatal(err)
	}
	web, err := lab.StartNginx(c.Origin, c.directory("nginx"), append(lab.Sites(c.cert),
		lab.Site{Port: lab.TLSPort, Names: []string{"old.example.test"}, Certificate: &expired},
		lab.Site{Port: lab.TLSPort, Names: []string{"self.example.test"}, Certificate: &selfSigned}))
	if err != nil {
		t.Fatal(err)
	}
	page := c.page(web, "page.bin", 10_000)
	untrusted := filepath.Join(filepath.Dir(c.ca), "untrusted.crt")
	origins := []struct {
		name, verdict string
		own           lab.KeyPair
		fault         string // what curl says that trusts the untrusted authority; "" if it is content
	}{
		{"old.example.test", "expired", expired, "certificate has expired"},
		{"wrong.example.test", "name-mismatch", c.cert, "no alternative certificate subject name matches"},
		{"self.example.test", "self-signed", selfSigned, ""},
	}
	type expectation struct{ outcome, verdict, reason string }
	want := make(map[ends]expectation)
	url := func(name string) []string {
		return append(lab.Resolve(name, lab.OriginV4), "--http1.1", "https://"+name+"/page.bin")
	}

	for _, o := range origins {
		t.Run("untrusted, "+o.verdict, func(t *testing.T) {
			c := c.in(t)
			if r := c.refused(c.ca, url(o.name)...); !strings.Contains(r.Stderr, "unable to get local issuer certificate") &&
				!strings.Contains(r.Stderr, "self-signed certificate") {
				t.Errorf("a client that trusts the authority: %s", r.Stderr)
			}
			// The fault itself is shown as it is; the issuer is no fault here.
			if o.fault != "" {
				if r := c.refused(untrusted, url(o.name)...); !strings.Contains(r.Stderr, o.fault) {
					t.Errorf("a client that trusts the untrusted authority: %s", r.Stderr)
				}
			} else {
				c.ca = untrusted
				x := c.fetch(url(o.name)...)
				same(t, "client", x.content, page)
				want[x.port] = expectation{"bumped", o.verdict, ""}
			}
			x := c.fetch(append(url(o.name), "--insecure")...)
			same(t, "client that does not care", x.content, page)
			want[x.port] = expectation{"bumped", o.verdict, ""}
		})
	}
	c.reconfigure(choice, "{default: block}", "reloaded")
	for _, o := range origins {
		t.Run("block, "+o.verdict, func(t *testing.T) {
			c := c.in(t)
			conn := c.dial(lab.TLSPort)
			if _, err := peer(c.ctx, conn, o.name); err == nil || !strings.Contains(err.Error(), "bad certificate") {
				t.Errorf("want an alert bad certificate, got %v", err)
			}
			want[localPort(conn)] = expectation{"failed", o.verdict, o.verdict}
		})
	}
	c.reconfigure("{default: block}", "{default: tunnel}", "reloaded")
	for _, o := range origins {
		t.Run("tunnel, "+o.verdict, func(t *testing.T) {
			c := c.in(t)
			conn := c.dial(lab.TLSPort)
			client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: o.name})
			io.WriteString(client, "GET /page.bin HTTP/1.1\r\nHost: "+o.name+"\r\nConnection: close\r\n\r\n")
			answer, err := io.ReadAll(client)
			if err != nil || !strings.HasSuffix(string(answer), string(page)) {
				t.Fatalf("got %d octets, %v", len(answer), err)
			}
			io.Copy(io.Discard, conn) // nginx resets a connection that is spoken on while it closes it
			client.Close()
			same(t, "certificate", client.ConnectionState().PeerCertificates[0].Raw, o.own.Leaf.Raw)
			want[localPort(conn)] = expectation{"tunneled", o.verdict, ""}
		})
	}
	if t.Failed() {
		return
	}
	recorded := c.stop()
	entries := c.entries()
	for port, w := range want {
		e := c.entryOf(entries, port)
		if got := (expectation{e.Outcome, e.TLSOrigin.Verdict, e.Reason}); got != w {
			t.Errorf("want %+v, got %+v", w, e)
		}
		if v := findConversation(recorded, port); v != nil && w.outcome != "bumped" && len(v.Streams[0]) > 0 {
			t.Errorf("%+v on the mirror: %q", w, v.Streams[0])
		}
		if w.outcome == "bumped" {
			if v := c.conversationOf(recorded, port); !strings.HasSuffix(string(v.Streams[1]), string(page)) {
				t.Errorf("%+v: the page is not on the mirror", w)
			}
		}
	}
}

// TestClientCertificate lets an origin ask for the client's own certificate,
// which only a tunnel can give.
func TestClientCertificate(t *testing.T) {
	c := newScene(t, settings{})
	alice, err := c.pki.Make(lab.Request{Names: []string{"alice"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	echo := c.echo(&tls.Config{
		Certificates: []tls.Certificate{c.pair(c.cert)},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    c.pool(c.pki.RootFile),
	})
	c.listen(6443, echo)
	conn := c.dial(6443)
	client := tls.Client(conn, &tls.Config{
		RootCAs: c.pool(c.pki.RootFile), ServerName: webName, Certificates: []tls.Certificate{c.pair(alice)},
	})
	if err := client.HandshakeContext(c.ctx); err != nil {
		t.Fatal(err)
	}
	same(t, "certificate", client.ConnectionState().PeerCertificates[0].Raw, c.cert.Leaf.Raw)
	c.echoed(client, "for alice only")
	if recorded := c.stop(); len(recorded) != 0 {
		t.Errorf("%d conversations on the mirror", len(recorded))
	}
	if e := c.entryOf(c.entries(), localPort(conn)); e.Outcome != "tunneled" || e.Reason != "" || e.Rule != "default" || e.ForgedSerial != "" {
		t.Errorf("entry %+v", e)
	}
}
