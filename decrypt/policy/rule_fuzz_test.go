package policy

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Whatever a rule and a session hold, nothing panics, and Explain ends where Decide
// does.
func FuzzRule(f *testing.F) {
	f.Add("*.a.test", "b.test", "www.a.test", "b.test", "ca", chrome, "*_8daaf6152771_*", 480, 1080)
	f.Add("192.0.2.1", "*.test", "192.0.2.1", "*.a.test", "", "", "", 0, 0)
	f.Add("bücher.test", "a", "a\x00b", "*.", "x", "a_b_c_d", "_", -1, 99999)
	f.Add(strings.Repeat("a.", 126)+"b", "*.b", strings.Repeat("a.", 126)+"b", "::1", "ca", "t13i0000h2_*_*", "t13i0000h2_*_*", 1440, 1)
	f.Fuzz(func(t *testing.T, host, named, sni, shown, issuer, ja4, print string, from, to int) {
		rules := []Rule{
			{Name: "host", Host: []string{host}, Action: Tunnel},
			{Name: "named", OriginName: []string{named}, Action: TunnelCheck},
			{Name: "issued", Issuer: []string{issuer}, Action: Terminate},
			{Name: "print", JA4: []string{print}, Action: Tunnel},
			{Name: "time", Time: []Period{{From: from, To: to, Zone: time.UTC}}},
		}
		var sound []Rule
		for _, r := range rules {
			if _, err := New([]Rule{r}, Bump); err == nil {
				sound = append(sound, r)
			}
		}
		table, err := New(sound, Terminate)
		if err != nil {
			t.Fatal(err)
		}
		for _, cert := range []*Certificate{nil, {}, {Names: []string{shown, sni}, Issuers: []string{issuer}}, {Names: []string{shown}, Issuers: []string{shown}, Trusted: true}} {
			facts := &Facts{SNI: sni, Host: shown, TLS: true, JA4: ja4, Certificate: cert, Time: time.Unix(int64(from)*60, 0), Client: netip.AddrPort{}}
			d := table.Decide(facts)
			steps := table.Explain(facts)
			if last := steps[len(steps)-1]; last.Rule != d.Rule || last.Action != d.Action || d.Pending && cert != nil {
				t.Fatalf("decided %+v, explained %v", d, last)
			}
		}
	})
}
