package policy

import (
	"net/netip"
	"testing"
)

func TestSettle(t *testing.T) {
	facts := func(origin, host string) *Facts {
		return &Facts{Client: netip.MustParseAddrPort("10.0.0.5:50000"), Origin: netip.MustParseAddrPort(origin), Host: host}
	}
	evil := Rule{Name: "evil", Host: []string{"evil.test"}, Action: Terminate}
	bank := Rule{Name: "bank", Host: []string{"bank.test"}, Action: Tunnel}
	box := Rule{Name: "box", Origin: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}, Action: Terminate}
	for _, tt := range []struct {
		name    string
		rules   []Rule
		def     Action
		facts   *Facts
		rule    string
		settled bool
	}{
		{"no rules", nil, Terminate, facts("192.0.2.1:443", ""), Default, true},
		{"host", []Rule{evil}, Bump, facts("192.0.2.1:443", "EVIL.test."), "evil", true},
		{"another host, whose hello may name this one", []Rule{evil}, Bump, facts("192.0.2.1:443", "good.test"), Default, false},
		{"behind a rule on the port", []Rule{{Name: "mail", Port: []PortRange{{25, 25}}}, evil}, Bump, facts("192.0.2.1:443", "evil.test"), "evil", true},
		{"behind a rule on the client", []Rule{{Name: "guests", Client: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}, Protocol: []string{"tls"}}, evil},
			Bump, facts("192.0.2.1:443", "evil.test"), "evil", true},
		{"behind a rule on the origin", []Rule{{Name: "net", Origin: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}, evil}, Bump, facts("192.0.2.1:443", "evil.test"), "evil", true},
		{"behind a rule on the protocol", []Rule{{Name: "ssh", Protocol: []string{"ssh"}}, evil}, Bump, facts("192.0.2.1:443", "evil.test"), "evil", false},
		{"behind a rule of the same action", []Rule{{Name: "ssh", Protocol: []string{"ssh"}, Action: Terminate}, evil}, Bump, facts("192.0.2.1:443", "evil.test"), "evil", true},
		{"behind a rule on another host", []Rule{bank, evil}, Bump, facts("192.0.2.1:443", "evil.test"), "evil", true},
		{"address behind a rule on a host", []Rule{bank, box}, Bump, facts("192.0.2.1:443", "evil.test"), "box", false},
		{"address without a host behind a rule on a host", []Rule{bank, box}, Bump, facts("192.0.2.1:443", ""), "box", false},
		{"address behind a rule on a host of the same action", []Rule{evil, box}, Bump, facts("192.0.2.1:443", ""), "box", true},
		{"behind a rule on ALPN", []Rule{{Name: "h2", ALPN: []string{"h2"}}, evil}, Bump, facts("192.0.2.1:443", "evil.test"), "evil", false},
		{"host and protocol", []Rule{{Name: "both", Host: evil.Host, Protocol: []string{"tls"}, Action: Terminate}}, Bump, facts("192.0.2.1:443", "evil.test"), Default, false},
		{"default behind a rule that a hello can meet", []Rule{bank}, Terminate, facts("192.0.2.1:443", "evil.test"), Default, false},
		{"default behind a rule of the same action", []Rule{evil}, Terminate, facts("192.0.2.1:443", ""), Default, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := New(tt.rules, tt.def)
			if err != nil {
				t.Fatal(err)
			}
			got, settled := table.Settle(tt.facts)
			if got.Rule != tt.rule || settled != tt.settled {
				t.Errorf("rule %q, settled %t, want %q, %t", got.Rule, settled, tt.rule, tt.settled)
			}
			if now := table.Decide(tt.facts); settled && now != got {
				t.Errorf("settled %+v, decided %+v", got, now)
			}
		})
	}
}
