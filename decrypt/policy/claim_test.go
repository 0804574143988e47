package policy

import (
	"net/netip"
	"testing"
)

// A rule that lets sessions go by a name says on which name that rests, and an unproven
// one is decided by the event, which is to bump where it has no action.
func TestClaim(t *testing.T) {
	list := &List{name: "finance", names: newNameTable(1)}
	if _, err := list.names.add([]byte("listed.test")); err != nil {
		t.Fatal(err)
	}
	to := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	table, err := New([]Rule{
		{Name: "named", Host: []string{"bank.test"}, Action: Tunnel},
		{Name: "listed", Category: []*List{list}, Action: Tunnel},
		{Name: "checked", Host: []string{"check.test"}, Action: TunnelCheck},
		{Name: "bumped", Host: []string{"bump.test"}, Action: Bump},
		{Name: "there", Host: []string{"there.test"}, Origin: to, Action: Tunnel},
		{Name: "addressed", Origin: to, Action: Tunnel},
		{Name: "ported", Port: []PortRange{{25, 25}}, Action: Tunnel},
	}, Tunnel)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		facts    Facts
		rule     string
		claim    Claim
		unproven string // rule for an unproven one
	}{
		{"server name", Facts{SNI: "BANK.test."}, "named", SNIClaim, "event:tunnel-unproven"},
		{"asked for", Facts{Host: "bank.test"}, "named", HostClaim, "event:tunnel-unproven"},
		{"both", Facts{Host: "bank.test", SNI: "bank.test"}, "named", HostClaim, "event:tunnel-unproven"},
		{"asked for, another server name", Facts{Host: "bank.test", SNI: "x.test"}, "named", HostClaim, "event:tunnel-unproven"},
		{"server name, asked for another", Facts{Host: "x.test", SNI: "bank.test"}, "named", SNIClaim, "event:tunnel-unproven"},
		{"list", Facts{Host: "x.test", SNI: "listed.test"}, "listed", SNIClaim, "event:tunnel-unproven"},
		{"list, asked for", Facts{Host: "listed.test", SNI: "x.test"}, "listed", HostClaim, "event:tunnel-unproven"},
		{"checked", Facts{SNI: "check.test"}, "checked", SNIClaim, "checked"},
		{"bumped", Facts{SNI: "bump.test"}, "bumped", NoClaim, "bumped"},
		{"with the address", Facts{SNI: "there.test", Origin: netip.MustParseAddrPort("192.0.2.1:443")}, "there", NoClaim, "there"},
		{"address alone", Facts{SNI: "x.test", Origin: netip.MustParseAddrPort("192.0.2.1:443")}, "addressed", NoClaim, "addressed"},
		{"port alone", Facts{SNI: "x.test", Origin: netip.MustParseAddrPort("198.51.100.1:25")}, "ported", NoClaim, "ported"},
		{"default", Facts{SNI: "x.test"}, "default", NoClaim, "default"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := table.Decide(&tt.facts); d.Rule != tt.rule || d.Claim != tt.claim {
				t.Errorf("rule %s, claim %d, want %s, %d", d.Rule, d.Claim, tt.rule, tt.claim)
			}
			tt.facts.Events = Events(0).With(TunnelUnproven)
			for _, action := range []Action{Bump, Tunnel, TunnelCheck, Terminate} {
				decided, want := table, Bump
				if action != Bump { // without an action, it is bumped
					want = action
					if decided, err = table.WithEvents(EventActions{TunnelUnproven: action}); err != nil {
						t.Fatal(err)
					}
				}
				d := decided.Decide(&tt.facts)
				steps := decided.Explain(&tt.facts)
				if last := steps[len(steps)-1]; last.Rule != d.Rule || last.Action != d.Action {
					t.Errorf("explained as %v, decided %+v", last, d)
				}
				if d.Rule != tt.unproven || d.Rule != tt.rule && (d.Action != want || d.Claim != NoClaim) {
					t.Errorf("unproven, with %v: %+v, want rule %s", action, d, tt.unproven)
				}
			}
		})
	}
	if d := table.Monitor().Decide(&Facts{SNI: "bank.test", TLS: true}); d.Claim != NoClaim {
		t.Error("mode monitor asks for a proof")
	}
}
