package e2e

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestRevocation meets origins whose certificates were revoked, and says so by a
// stapled response, a list over HTTP and a responder; then the responder is down.
func TestRevocation(t *testing.T) {
	const port, deadPort = 8888, 8889
	c := newScene(t, settings{Origin: "revocation: {mode: soft, timeout: 20s}, on_invalid: {default: block}"})
	responderURL := "http://" + lab.OriginV4 + ":" + strconv.Itoa(port)
	issue := func(r lab.Request, name string) lab.KeyPair {
		r.Names = []string{name}
		k, err := c.PKI.Make(r)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	responder := issue(lab.Request{Responder: true}, "responder")
	stapled := issue(lab.Request{}, "staple.example.test")
	listed := issue(lab.Request{CRL: "http://" + lab.OriginV4 + "/lab.crl"}, "crl.example.test")
	asked := issue(lab.Request{OCSP: responderURL}, "ocsp.example.test")
	fine := issue(lab.Request{OCSP: responderURL}, "fine.example.test")
	fineStaple := issue(lab.Request{}, "finestaple.example.test")
	dead := issue(lab.Request{OCSP: "http://" + lab.OriginV4 + ":" + strconv.Itoa(deadPort)}, "dead.example.test")
	inside := issue(lab.Request{CRL: "http://" + lab.BoxWANV4 + "/lab.crl"}, "inside.example.test") // an address of the appliance's own

	var sites []lab.Site
	for _, k := range []lab.KeyPair{stapled, listed, asked, fine, fineStaple, dead, inside} {
		s := lab.Site{Port: lab.TLSPort, Names: []string{k.Leaf.Subject.CommonName}, Certificate: &k}
		if k == stapled || k == fineStaple {
			var err error
			if s.Staple, err = c.PKI.Staple(k, responder, k == stapled); err != nil {
				t.Fatal(err)
			}
		}
		sites = append(sites, s)
	}
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), append(lab.Sites(c.Cert), sites...))
	if err != nil {
		t.Fatal(err)
	}
	page := c.Page(web, "page.bin", 1000)
	list, err := c.PKI.CRL(listed)
	if err != nil {
		t.Fatal(err)
	}
	c.Write(filepath.Join(web.Root, "lab.crl"), list)
	server, err := lab.StartResponder(c.Origin, c.Directory("ocsp"), c.PKI, responder, port, []lab.KeyPair{asked, fine}, []lab.KeyPair{asked})
	if err != nil {
		t.Fatal(err)
	}

	type expectation struct{ outcome, verdict, revocation string }
	want := make(map[ends]expectation)
	meet := func(phase string, reasons map[string]string) { // by name, "good" or "unknown" for one that passes
		for name, word := range reasons {
			t.Run(phase+", "+name, func(t *testing.T) {
				c := c.In(t)
				name += ".example.test"
				if word == "good" || word == "unknown" {
					x := c.Fetch(append(lab.Resolve(name, lab.OriginV4), "--http1.1", "https://"+name+"/page.bin")...)
					scenetest.Same(t, "client", x.Content, page)
					want[x.Ends] = expectation{"bumped", "ok", word}
					return
				}
				conn := c.Dial(lab.TLSPort)
				if _, err := peer(c.Ctx, conn, name); err == nil || !strings.Contains(err.Error(), "bad certificate") {
					t.Errorf("want an alert bad certificate, got %v", err)
				}
				want[scenetest.LocalPort(conn)] = expectation{"failed", word, map[string]string{"revoked": "revoked", "revocation-unknown": "unknown"}[word]}
			})
		}
	}
	meet("soft", map[string]string{
		"staple": "revoked", "crl": "revoked", "ocsp": "revoked", "fine": "good", "finestaple": "good", "dead": "unknown", "inside": "unknown",
	})
	c.reconfigure("{mode: soft,", "{mode: hard,", "reloaded")
	meet("hard", map[string]string{
		"staple": "revoked", "crl": "revoked", "ocsp": "revoked", "fine": "good", "finestaple": "good",
		"dead": "revocation-unknown", "inside": "revocation-unknown",
	})
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	c.reload("reloaded")
	meet("hard, responder down", map[string]string{"ocsp": "revocation-unknown", "fine": "revocation-unknown", "staple": "revoked"})
	c.reconfigure("{mode: hard,", "{mode: soft,", "reloaded")
	meet("soft, responder down", map[string]string{"ocsp": "unknown", "fine": "unknown", "crl": "revoked"})
	c.reconfigure("{mode: soft,", "{mode: off,", "reloaded")
	t.Run("off", func(t *testing.T) {
		x := c.In(t).Fetch(append(lab.Resolve("crl.example.test", lab.OriginV4), "--http1.1", "https://crl.example.test/page.bin")...)
		scenetest.Same(t, "client", x.Content, page)
		want[x.Ends] = expectation{"bumped", "ok", ""}
	})
	if t.Failed() {
		t.Logf("appliance:\n%s\nresponder:\n%s", c.Appliance.Log(), server.Log())
		return
	}
	c.Stop()
	entries := c.Entries()
	for port, w := range want {
		e := c.EntryOf(entries, port)
		if got := (expectation{e.Outcome, e.TLSOrigin.Verdict, e.TLSOrigin.Revocation}); got != w {
			t.Errorf("want %+v, got %+v of %s", w, got, e.SNI)
		}
	}
	if log := c.Appliance.Log(); !strings.Contains(log, "is this machine's own") {
		t.Error("the log does not say why an address of the appliance's own was not asked")
	}
}
