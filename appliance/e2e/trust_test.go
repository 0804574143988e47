package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// reconfigure replaces a part of the configuration file and has the appliance
// read it again. It waits for the log line with the message.
func (c *scene) reconfigure(old, new, message string) {
	c.Helper()
	text, err := os.ReadFile(c.Appliance.ConfigFile)
	if err != nil || strings.Count(string(text), old) != 1 {
		c.Fatalf("not once in the configuration: %q (%v)", old, err)
	}
	c.Write(c.Appliance.ConfigFile, []byte(strings.Replace(string(text), old, new, 1)))
	c.reload(message)
}

func (c *scene) reload(message string) {
	c.Helper()
	message = `"msg":"` + message + `"`
	before := strings.Count(c.Appliance.Log(), message)
	if err := c.Appliance.Signal(syscall.SIGHUP); err != nil {
		c.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); strings.Count(c.Appliance.Log(), message) == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("no %s in the log:\n%s", message, c.Appliance.Log())
		}
	}
}

// TestInvalidOrigins meets origins that nobody should trust in all three ways.
func TestInvalidOrigins(t *testing.T) {
	const choice = "{default: untrusted}"
	c := newScene(t, settings{Origin: "on_invalid: " + choice})
	expired, err := c.PKI.Expired("old.example.test")
	if err != nil {
		t.Fatal(err)
	}
	selfSigned, err := c.PKI.SelfSigned("self.example.test")
	if err != nil {
		t.Fatal(err)
	}
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), append(lab.Sites(c.Cert),
		lab.Site{Port: lab.TLSPort, Names: []string{"old.example.test"}, Certificate: &expired},
		lab.Site{Port: lab.TLSPort, Names: []string{"self.example.test"}, Certificate: &selfSigned}))
	if err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page.bin", 10_000)
	untrusted := filepath.Join(filepath.Dir(c.CA), "untrusted.crt")
	origins := []struct {
		name, verdict string
		own           lab.KeyPair
		fault         string // what curl says that trusts the untrusted authority; "" if it is content
	}{
		{"old.example.test", "expired", expired, "certificate has expired"},
		{"wrong.example.test", "name-mismatch", c.Cert, "no alternative certificate subject name matches"},
		{"self.example.test", "self-signed", selfSigned, ""},
	}
	type expectation struct{ outcome, verdict, reason string }
	want := make(map[ends]expectation)
	url := func(name string) []string {
		return append(lab.Resolve(name, lab.OriginV4), "--http1.1", "https://"+name+"/page.bin")
	}

	for _, o := range origins {
		t.Run("untrusted, "+o.verdict, func(t *testing.T) {
			c := c.In(t)
			if r := c.refused(c.CA, url(o.name)...); !strings.Contains(r.Stderr, "unable to get local issuer certificate") &&
				!strings.Contains(r.Stderr, "self-signed certificate") {
				t.Errorf("a client that trusts the authority: %s", r.Stderr)
			}
			// The fault itself is shown as it is; the issuer is no fault here.
			if o.fault != "" {
				if r := c.refused(untrusted, url(o.name)...); !strings.Contains(r.Stderr, o.fault) {
					t.Errorf("a client that trusts the untrusted authority: %s", r.Stderr)
				}
			} else {
				c.CA = untrusted
				x := c.Fetch(url(o.name)...)
				scenetest.Same(t, "client", x.Content, page)
				want[x.Ends] = expectation{"bumped", o.verdict, ""}
			}
			x := c.Fetch(append(url(o.name), "--insecure")...)
			scenetest.Same(t, "client that does not care", x.Content, page)
			want[x.Ends] = expectation{"bumped", o.verdict, ""}
		})
	}
	c.reconfigure(choice, "{default: block}", "reloaded")
	for _, o := range origins {
		t.Run("block, "+o.verdict, func(t *testing.T) {
			c := c.In(t)
			conn := c.Dial(lab.TLSPort)
			if _, err := peer(c.Ctx, conn, o.name); err == nil || !strings.Contains(err.Error(), "bad certificate") {
				t.Errorf("want an alert bad certificate, got %v", err)
			}
			want[scenetest.LocalPort(conn)] = expectation{"failed", o.verdict, o.verdict}
		})
	}
	c.reconfigure("{default: block}", "{default: tunnel}", "reloaded")
	for _, o := range origins {
		t.Run("tunnel, "+o.verdict, func(t *testing.T) {
			c := c.In(t)
			conn := c.Dial(lab.TLSPort)
			client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: o.name})
			io.WriteString(client, "GET /page.bin HTTP/1.1\r\nHost: "+o.name+"\r\nConnection: close\r\n\r\n")
			answer, err := io.ReadAll(client)
			if err != nil || !strings.HasSuffix(string(answer), string(page)) {
				t.Fatalf("got %d octets, %v", len(answer), err)
			}
			io.Copy(io.Discard, conn) // nginx resets a connection that is spoken on while it closes it
			client.Close()
			scenetest.Same(t, "certificate", client.ConnectionState().PeerCertificates[0].Raw, o.own.Leaf.Raw)
			want[scenetest.LocalPort(conn)] = expectation{"tunneled", o.verdict, ""}
		})
	}
	if t.Failed() {
		return
	}
	recorded := c.Stop()
	entries := c.Entries()
	for port, w := range want {
		e := c.EntryOf(entries, port)
		if got := (expectation{e.Outcome, e.TLSOrigin.Verdict, e.Reason}); got != w {
			t.Errorf("want %+v, got %+v", w, e)
		}
		if v := scenetest.FindConversation(recorded, port); v != nil && w.outcome != "bumped" && len(v.Streams[0]) > 0 {
			t.Errorf("%+v on the mirror: %q", w, v.Streams[0])
		}
		if w.outcome == "bumped" {
			if v := c.ConversationOf(recorded, port); !strings.HasSuffix(string(v.Streams[1]), string(page)) {
				t.Errorf("%+v: the page is not on the mirror", w)
			}
		}
	}
}

// TestClientCertificate has an origin insist on the client's own certificate, which only
// a tunnel can give.
func TestClientCertificate(t *testing.T) {
	c := newScene(t, settings{Hosts: lab.OriginV4 + " " + webName + "\n"})
	alice, err := c.PKI.Make(lab.Request{Names: []string{"alice"}, Client: true})
	if err != nil {
		t.Fatal(err)
	}
	echo := c.Echo(&tls.Config{
		Certificates: []tls.Certificate{c.Pair(c.Cert)},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    c.Pool(c.PKI.RootFile),
	})
	c.Listen(6443, echo)
	dial := func() (*tls.Conn, ends) {
		conn := c.Dial(6443)
		return tls.Client(conn, &tls.Config{
			RootCAs: c.Pool(c.PKI.RootFile, c.CA), ServerName: webName, Certificates: []tls.Certificate{c.Pair(alice)},
		}), scenetest.LocalPort(conn)
	}
	client, port := dial()
	client.HandshakeContext(c.Ctx) // on a slow machine, the alert comes when we have been met
	if state := client.ConnectionState(); len(state.PeerCertificates) == 0 || !bytes.Equal(state.PeerCertificates[0].Raw, c.Cert.Leaf.Raw) {
		client.Close()
		client, port = dial()
	}
	if err := client.HandshakeContext(c.Ctx); err != nil {
		t.Fatal(err)
	}
	scenetest.Same(t, "certificate", client.ConnectionState().PeerCertificates[0].Raw, c.Cert.Leaf.Raw)
	c.echoed(client, "for alice only")
	c.Stop()
	if e := c.EntryOf(c.Entries(), port); e.Outcome != "tunneled" || e.Reason != "" || e.Rule != "default" || e.ForgedSerial != "" || e.BypassBy != "origin" {
		t.Errorf("entry %+v", e)
	}
}
