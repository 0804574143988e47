package e2e

import (
	"crypto/tls"
	"errors"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestHiddenHello has an origin with a key for Encrypted Client Hello, and a client
// that hides a name behind the origin's public one: it is told that its hello was
// not accepted, and tries without, as browsers do; or insists and is tunneled, where
// that is wanted.
func TestHiddenHello(t *testing.T) {
	const hidden = "hidden.example.test"
	c := newScene(t, settings{Policy: "{default: bump, events: {ech-required: tunnel}}"})
	secret, err := c.PKI.Issue(hidden)
	if err != nil {
		t.Fatal(err)
	}
	list, key, err := lab.NewECH(webName)
	if err != nil {
		t.Fatal(err)
	}
	c.Listen(6443, c.Echo(&tls.Config{
		Certificates:             []tls.Certificate{c.Pair(c.Cert), c.Pair(secret)},
		EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{key},
	}))
	hello := func(ca string, list []byte) (*tls.Conn, ends) {
		conn := c.Dial(6443)
		return tls.Client(conn, &tls.Config{RootCAs: c.Pool(ca), ServerName: hidden, EncryptedClientHelloConfigList: list, MinVersion: tls.VersionTLS13}), scenetest.LocalPort(conn)
	}
	want := map[ends][4]string{} // server name, outcome, reason and state of ECH in the entry

	client, port := hello(c.CA, list)
	if err, rejected := client.HandshakeContext(c.Ctx), (*tls.ECHRejectionError)(nil); !errors.As(err, &rejected) || len(rejected.RetryConfigList) > 0 {
		t.Errorf("a client that hides saw %v", err)
	}
	client.Close()
	want[port] = [4]string{webName, "bumped", "ech-required", "insisted"}
	scenetest.Eventually(t, "known to insist", func() bool { return c.Metrics()[`clearspan_ech_hellos_total{state="insisted"}`] == 1 })

	client, port = hello(c.CA, nil)
	c.echoed(client, "in the open")
	want[port] = [4]string{hidden, "bumped", "", ""}

	client, port = hello(c.PKI.RootFile, list)
	c.echoed(client, "still hidden")
	if state := client.ConnectionState(); !state.ECHAccepted {
		t.Error("the origin did not get the hidden hello")
	}
	want[port] = [4]string{webName, "tunneled", "", "known"}

	scenetest.Eventually(t, "counted", func() bool {
		m := c.Metrics()
		return m[`clearspan_ech_hellos_total{state="insisted"}`] == 1 && m[`clearspan_ech_hellos_total{state="known"}`] == 1
	})
	recorded := c.Stop()
	entries := c.Entries()
	for port, w := range want {
		e := c.EntryOf(entries, port)
		if got := [4]string{e.SNI, e.Outcome, e.Reason, e.TLSClient.ECH}; got != w {
			t.Errorf("want %q, got %q", w, got)
		}
		if v := scenetest.FindConversation(recorded, port); w[1] == "tunneled" && v != nil {
			t.Errorf("on the mirror: %q", v.Streams)
		}
	}
}
