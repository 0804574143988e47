package policy

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTunnelByAddress(t *testing.T) {
	prefixes := func(all ...string) (list []netip.Prefix) {
		for _, s := range all {
			list = append(list, netip.MustParsePrefix(s))
		}
		return list
	}
	clinic := Rule{Name: "clinic", Client: prefixes("10.1.0.0/16", "2001:db8::/48"), Action: Tunnel}
	bank := Rule{Name: "bank", Origin: prefixes("192.0.2.0/24"), Action: Tunnel}
	for _, tt := range []struct {
		name             string
		rules            []Rule
		clients, origins []netip.Prefix
	}{
		{"no rule", nil, nil, nil},
		{"each of one kind", []Rule{clinic, bank}, clinic.Client, bank.Origin},
		{"behind a rule that does not tunnel", []Rule{bank, {Name: "evil", Host: []string{"evil.test"}, Action: Terminate}, clinic}, nil, bank.Origin},
		{"behind a rule that tunnels by name", []Rule{{Name: "named", Host: []string{"a.test"}, Action: Tunnel}, bank}, nil, bank.Origin},
		{"tunnel-check", []Rule{{Name: "checked", Client: clinic.Client, Action: TunnelCheck}, bank}, nil, nil},
		{"both ends", []Rule{{Name: "both", Client: clinic.Client, Origin: bank.Origin, Action: Tunnel}}, nil, nil},
		{"one port", []Rule{{Name: "port", Origin: bank.Origin, Port: []PortRange{{443, 443}}, Action: Tunnel}}, nil, nil},
		{"one protocol", []Rule{{Name: "protocol", Origin: bank.Origin, Protocol: []string{"tls"}, Action: Tunnel}}, nil, nil},
		{"one application protocol", []Rule{{Name: "alpn", Origin: bank.Origin, ALPN: []string{"h2"}, Action: Tunnel}}, nil, nil},
		{"everything", []Rule{{Name: "all", Action: Tunnel}, clinic}, clinic.Client, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := New(tt.rules, Bump)
			if err != nil {
				t.Fatal(err)
			}
			clients, origins := table.TunnelByAddress()
			equal := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
			if diff := cmp.Diff([2][]netip.Prefix{tt.clients, tt.origins}, [2][]netip.Prefix{clients, origins}, equal); diff != "" {
				t.Error(diff)
			}
		})
	}
}
