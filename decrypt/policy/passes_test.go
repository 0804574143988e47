package policy

import (
	"net/netip"
	"testing"
)

func TestPasses(t *testing.T) {
	facts := func(host string) *Facts {
		return &Facts{Client: netip.MustParseAddrPort("10.0.0.5:50000"), Origin: netip.MustParseAddrPort("192.0.2.1:443"), Host: host}
	}
	evil := Rule{Name: "evil", Host: []string{"evil.test"}, Action: Terminate}
	for _, tt := range []struct {
		name  string
		rules []Rule
		def   Action
		host  string
		want  bool
	}{
		{"no rules", nil, Bump, "", true},
		{"default terminates", nil, Terminate, "good.test", false},
		{"a terminated host", []Rule{evil}, Bump, "evil.test", false},
		{"another host", []Rule{evil}, Bump, "good.test", true},
		{"no host, so that the hello may name it", []Rule{evil}, Bump, "", false},
		{"a rule on the protocol", []Rule{{Name: "ssh", Protocol: []string{"ssh"}, Action: Terminate}}, Bump, "good.test", false},
		{"a rule on another network", []Rule{{Name: "net", Origin: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, Action: Terminate}}, Bump, "good.test", true},
		{"the host and a protocol", []Rule{{Name: "both", Host: evil.Host, Protocol: []string{"tls"}, Action: Terminate}}, Bump, "evil.test", false},
		{"a tunnel", []Rule{{Name: "bank", Host: []string{"bank.test"}, Action: Tunnel}}, Bump, "bank.test", true},
		{"a tunnel that is proven first", []Rule{{Name: "bank", Host: []string{"bank.test"}, Action: TunnelCheck}}, Bump, "bank.test", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := New(tt.rules, tt.def)
			if err != nil {
				t.Fatal(err)
			}
			if got := table.Passes(facts(tt.host)); got != tt.want {
				t.Errorf("%v", got)
			}
		})
	}
}
