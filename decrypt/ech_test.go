package decrypt

import (
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
)

// TestECH has a client with a key of its origin's hide a name behind the public
// one.
func TestECH(t *testing.T) {
	list, _, err := lab.NewECH("www.example.test")
	if err != nil {
		t.Fatal(err)
	}
	hiding := func(c *tls.Config) {
		c.ServerName, c.EncryptedClientHelloConfigList, c.MinVersion = "hidden.example.test", list, tls.VersionTLS13
	}
	for _, tt := range []struct {
		name    string
		actions policy.EventActions
		outcome Outcome // of the second session
		rule    string
		reason  string
		state   ECH
	}{
		{"log", nil, Bumped, "default", "ech-required", ECHInsisted},
		{"bump", policy.EventActions{policy.ECHRequired: policy.Bump}, Bumped, "event:ech-required", "ech-required", ECHInsisted},
		{"tunnel", policy.EventActions{policy.ECHRequired: policy.Tunnel}, Tunneling, "event:ech-required", "", ECHKnown},
		{"tunnel what insists, bump what may pretend", policy.EventActions{policy.ECHRequired: policy.Tunnel, policy.ECH: policy.Bump},
			Tunneling, "event:ech-required", "", ECHKnown},
		{"terminate", policy.EventActions{policy.ECHRequired: policy.Terminate}, Terminated, "event:ech-required", "policy", ECHKnown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := rules(t, policy.Bump).WithEvents(tt.actions)
			if err != nil {
				t.Fatal(err)
			}
			b := newTLSTestbed(t, echo, nil, func(b *testbed) { b.cfg.Policy, b.cfg.Tap = table, nil })
			c := b.client(hiding)
			_, err = c.Write([]byte("x"))
			if rejected := (*tls.ECHRejectionError)(nil); !errors.As(err, &rejected) || len(rejected.RetryConfigList) != 0 {
				t.Errorf("client saw %v", err)
			}
			c.Close()
			if s := b.session(); s.SNI != "www.example.test" || s.Reason != "ech-required" || s.ClientTLS.ECH != ECHInsisted || s.Octets(0) != 0 {
				t.Errorf("first session %+v", s)
			}

			c = b.client(hiding) // what a browser does not do, and others may
			_, err = c.Write([]byte("x"))
			if err == nil {
				t.Error("ECH was accepted")
			}
			c.Close()
			s := b.session()
			if s.Outcome != tt.outcome || s.Reason != tt.reason && tt.outcome != Tunneling || s.ClientTLS.ECH != tt.state || s.Decision.Rule != tt.rule {
				t.Errorf("second session %v by %q, %s, ECH %v", s.Outcome, s.Decision.Rule, s.Reason, s.ClientTLS.ECH)
			}
			if want := tt.state == ECHKnown || tt.outcome == Bumped; s.Events().Has(policy.ECHRequired) != want {
				t.Errorf("events %v", s.Events().Names())
			}

			c = b.client(nil) // and without hiding, what browsers do
			if _, err := c.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			io.ReadFull(c, make([]byte, 1))
			c.Close()
			if s := b.session(); s.Outcome != Bumped || s.ClientTLS.ECH != ECHNone {
				t.Errorf("third session %+v", s)
			}
		})
	}
}

// TestECHMemory: what one client does is nothing to another.
func TestECHMemory(t *testing.T) {
	var m memory[echKey]
	now := time.Now()
	key := echKey{netip.MustParseAddr("10.0.0.1"), "a.test", netip.MustParseAddrPort("192.0.2.1:443")}
	m.add(key, key.client, now, echLifetime)
	other := key
	other.client = netip.MustParseAddr("10.0.0.2")
	if !m.known(key, now.Add(echLifetime-time.Second)) || m.known(other, now) || m.known(key, now.Add(echLifetime)) {
		t.Error("remembered for others, for too long, or not at all")
	}
}
