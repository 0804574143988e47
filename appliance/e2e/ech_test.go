package e2e

import (
	"crypto/tls"
	"errors"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestHiddenHello has an origin with a key for Encrypted Client Hello, and a client
// that hides a name behind the origin's public one: it is told that its hello was
// not accepted, and tries without, as browsers do; or insists and is tunneled, where
// that is wanted.
func TestHiddenHello(t *testing.T) {
	const hidden = "hidden.example.test"
	c := newScene(t, settings{policy: "{default: bump, events: {ech-required: tunnel}}"})
	secret, err := c.pki.Issue(hidden)
	if err != nil {
		t.Fatal(err)
	}
	list, key, err := lab.NewECH(webName)
	if err != nil {
		t.Fatal(err)
	}
	c.listen(6443, c.echo(&tls.Config{
		Certificates:             []tls.Certificate{c.pair(c.cert), c.pair(secret)},
		EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{key},
	}))
	hello := func(ca string, list []byte) (*tls.Conn, ends) {
		conn := c.dial(6443)
		return tls.Client(conn, &tls.Config{RootCAs: c.pool(ca), ServerName: hidden, EncryptedClientHelloConfigList: list, MinVersion: tls.VersionTLS13}), localPort(conn)
	}
	want := map[ends][4]string{} // server name, outcome, reason and state of ECH in the entry

	client, port := hello(c.ca, list)
	if err, rejected := client.HandshakeContext(c.ctx), (*tls.ECHRejectionError)(nil); !errors.As(err, &rejected) || len(rejected.RetryConfigList) > 0 {
		t.Errorf("a client that hides saw %v", err)
	}
	client.Close()
	want[port] = [4]string{webName, "bumped", "ech-required", "insisted"}
	eventually(t, "known to insist", func() bool { return c.metrics()[`clearspan_ech_hellos_total{state="insisted"}`] == 1 })

	client, port = hello(c.ca, nil)
	c.echoed(client, "in the open")
	want[port] = [4]string{hidden, "bumped", "", ""}

	client, port = hello(c.pki.RootFile, list)
	c.echoed(client, "still hidden")
	if state := client.ConnectionState(); !state.ECHAccepted {
		t.Error("the origin did not get the hidden hello")
	}
	want[port] = [4]string{webName, "tunneled", "", "known"}

	eventually(t, "counted", func() bool {
		m := c.metrics()
		return m[`clearspan_ech_hellos_total{state="insisted"}`] == 1 && m[`clearspan_ech_hellos_total{state="known"}`] == 1
	})
	recorded := c.stop()
	entries := c.entries()
	for port, w := range want {
		e := c.entryOf(entries, port)
		if got := [4]string{e.SNI, e.Outcome, e.Reason, e.TLSClient.ECH}; got != w {
			t.Errorf("want %q, got %q", w, got)
		}
		if v := findConversation(recorded, port); w[1] == "tunneled" && v != nil {
			t.Errorf("on the mirror: %q", v.Streams)
		}
	}
}
