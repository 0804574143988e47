package decrypt

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// loopback is where the origins of testbeds are.
var loopback, elsewhere = netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")

// TestProvenTunnel: a rule tunnels a session by its server name only if the DNS, or a
// certificate, shows that the destination has that name.
func TestProvenTunnel(t *testing.T) {
	byName := policy.Rule{Name: "byname", Host: []string{"www.example.test", "false.test"}, Action: policy.Tunnel}
	byAddress := policy.Rule{Name: "byaddress", Host: []string{"false.test"}, Origin: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Action: policy.Tunnel}
	for _, tt := range []struct {
		name     string
		sni      string
		names    directory
		rule     policy.Rule
		action   *policy.Action // of the event
		change   func(*Incoming)
		outcome  Outcome
		rulename string
	}{
		{name: "DNS", sni: "www.example.test", names: directory{"www.example.test": {elsewhere, loopback}}, rule: byName, outcome: Tunneling, rulename: "byname"},
		{name: "certificate, DNS says another", sni: "www.example.test", names: directory{"www.example.test": {elsewhere}}, rule: byName, outcome: Tunneling, rulename: "byname"},
		{name: "certificate, no DNS", sni: "www.example.test", rule: byName, outcome: Tunneling, rulename: "byname"},
		{name: "neither", sni: "false.test", names: directory{"false.test": {elsewhere}}, rule: byName, outcome: Bumped, rulename: "event:tunnel-unproven"},
		{name: "no such name", sni: "false.test", names: directory{}, rule: byName, outcome: Bumped, rulename: "event:tunnel-unproven"},
		{name: "neither, terminate", sni: "false.test", names: directory{}, rule: byName, action: new(policy.Terminate), outcome: Terminated, rulename: "event:tunnel-unproven"},
		{name: "neither, tunnel", sni: "false.test", names: directory{}, rule: byName, action: new(policy.Tunnel), outcome: Tunneling, rulename: "event:tunnel-unproven"},
		{name: "DNS, terminate", sni: "false.test", names: directory{"false.test": {loopback}}, rule: byName, action: new(policy.Terminate), outcome: Tunneling, rulename: "byname"},
		{name: "certificate, terminate", sni: "www.example.test", names: directory{}, rule: byName, action: new(policy.Terminate), outcome: Tunneling, rulename: "byname"},
		{name: "the rule has the address", sni: "false.test", names: directory{}, rule: byAddress, outcome: Tunneling, rulename: "byaddress"},
		{name: "a fixed origin", sni: "false.test", names: directory{}, rule: byName, change: func(in *Incoming) { in.Resolved = true }, outcome: Tunneling, rulename: "byname"},
		{name: "asked for by that name", sni: "false.test", names: directory{}, rule: byName, change: func(in *Incoming) { in.Name = "FALSE.test" }, outcome: Tunneling, rulename: "byname"},
		{name: "asked for by another", sni: "false.test", names: directory{}, rule: byName, change: func(in *Incoming) { in.Name = "other.test" }, outcome: Bumped, rulename: "event:tunnel-unproven"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, func(b *testbed) {
				table := rules(t, policy.Bump, tt.rule)
				if tt.action != nil {
					var err error
					if table, err = table.WithEvents(policy.EventActions{policy.TunnelUnproven: *tt.action}); err != nil {
						t.Fatal(err)
					}
				}
				b.cfg.Policy, b.cfg.Tap, b.cfg.Names = table, nil, NamesNever
				b.cfg.Origin.OnInvalid = OnInvalid{Default: Untrusted}
				if tt.names != nil {
					b.cfg.Resolver = tt.names
				}
				b.incoming = tt.change
			})
			c := b.client(func(cfg *tls.Config) { cfg.ServerName, cfg.InsecureSkipVerify = tt.sni, true })
			if err := c.Handshake(); err == nil {
				c.Write([]byte("x"))
				io.ReadFull(c, make([]byte, 1))
			}
			c.Close()
			s := b.session()
			if s.Outcome != tt.outcome || s.Decision.Rule != tt.rulename {
				t.Errorf("%s by %s (%s %v), want %s by %s", s.Outcome, s.Decision.Rule, s.Reason, s.Err, tt.outcome, tt.rulename)
			}
			if by := s.BypassBy; (by != "") != (tt.outcome == Tunneling) || by == ByClient != (tt.outcome == Tunneling && tt.rulename == "event:tunnel-unproven") {
				t.Errorf("passed unopened by %q", by)
			}
			if unproven := s.Events().Has(policy.TunnelUnproven); unproven != (tt.rulename == "event:tunnel-unproven") {
				t.Errorf("unproven: %v", unproven)
			}
		})
	}
}

// TestPlainClaim: a plain request goes past by the host that it names only if the DNS
// leads there.
func TestPlainClaim(t *testing.T) {
	for _, action := range []policy.Action{policy.Tunnel, policy.TunnelCheck} {
		for host, want := range map[string]Outcome{"true.test": Tunneling, "false.test": map[policy.Action]Outcome{policy.Tunnel: Passed, policy.TunnelCheck: Terminated}[action]} {
			b := newTestbed(t, func(_ *testbed, c net.Conn) { io.Copy(c, c) }, func(b *testbed) {
				b.cfg.Policy, b.cfg.Tap = rules(t, policy.Bump, policy.Rule{Name: "r", Host: []string{"true.test", "false.test"}, Action: action}), nil
				b.cfg.Resolver = directory{"true.test": {loopback}, "false.test": {elsewhere}}
			})
			conn := b.dial()
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			conn.CloseWrite()
			io.Copy(io.Discard, conn)
			if s := b.session(); s.Outcome != want {
				t.Errorf("%v, %s: %s (%s %v), want %s", action, host, s.Outcome, s.Reason, s.Err, want)
			}
		}
	}
}

// TestRelayedProbe: an attacker has the first connections, which may be probes, go to
// whom the name belongs, and the next ones to himself.
func TestRelayedProbe(t *testing.T) {
	b := newTLSTestbed(t, echo, nil, func(b *testbed) {
		b.cfg.Policy, b.cfg.Tap = rules(t, policy.TunnelCheck), nil
		b.cfg.Resolver = directory{"www.example.test": {elsewhere}}
	})
	for range 3 {
		c := b.client(func(cfg *tls.Config) { cfg.InsecureSkipVerify = true })
		if c.Handshake() == nil {
			t.Error("reaches the attacker")
		}
		c.Close()
		if s := b.session(); s.Outcome != Terminated || s.Reason != "name-mismatch-check" {
			t.Errorf("%s, %s", s.Outcome, s.Reason)
		}
	}
}

// TestRoundRobin: the DNS says other addresses of a name each time, and all of them count
// for a day.
func TestRoundRobin(t *testing.T) {
	names := directory{"www.example.test": {loopback}}
	b := newTLSTestbed(t, echo, nil, func(b *testbed) {
		b.cfg.Policy, b.cfg.Tap, b.cfg.Resolver = rules(t, policy.TunnelCheck), nil, names
		b.cfg.Addresses = new(Addresses)
		b.cfg.Addresses.Add("www.example.test", []netip.Addr{loopback}, loopback, time.Now().Add(-20*time.Hour))
	})
	names["www.example.test"] = []netip.Addr{elsewhere}
	c := b.client(func(cfg *tls.Config) { cfg.RootCAs = b.origins.pool })
	if err := c.Handshake(); err != nil {
		t.Error(err)
	}
	c.Close()
	if s := b.session(); s.Outcome != Tunneling || s.BypassBy != ByOperator {
		t.Errorf("%s by %s", s.Outcome, s.BypassBy)
	}
}

// TestPreviewClaim: an intake may leave a session alone only if the DNS has led its name
// to the destination before.
func TestPreviewClaim(t *testing.T) {
	addresses := new(Addresses)
	e, err := New(Config{
		Policy: rules(t, policy.Bump, policy.Rule{Name: "r", Host: []string{"www.example.test"}, Action: policy.Tunnel}),
		Forger: &forger{}, Verifier: judge{}, Addresses: addresses,
	})
	if err != nil {
		t.Fatal(err)
	}
	in := &Incoming{Client: netip.MustParseAddrPort("10.0.0.1:1"), Origin: netip.AddrPortFrom(loopback, 443)}
	if action, _ := e.Preview(in, hello(t)); action != policy.Bump {
		t.Errorf("unproven: %v", action)
	}
	addresses.Add("www.example.test", []netip.Addr{loopback}, loopback, time.Now())
	if action, _ := e.Preview(in, hello(t)); action != policy.Tunnel {
		t.Errorf("proven: %v", action)
	}
}
