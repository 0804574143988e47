package policy

import (
	"net/netip"
	"strings"
	"testing"
)

func TestShadows(t *testing.T) {
	finance, err := ReadList("finance", "finance.txt", strings.NewReader("bank.test\n"))
	if err != nil {
		t.Fatal(err)
	}
	net := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	for _, tt := range []struct {
		name  string
		rules []Rule
		by    int // -1: the last rule is reached
	}{
		{"same host", []Rule{{Host: []string{"a.test"}}, {Host: []string{"A.test."}}}, 0},
		{"host below a pattern", []Rule{{Host: []string{"*.test"}}, {Host: []string{"www.a.test"}}}, 0},
		{"pattern below a pattern", []Rule{{Host: []string{"*.test"}}, {Host: []string{"*.a.test"}}}, 0},
		{"pattern above a pattern", []Rule{{Host: []string{"*.a.test"}}, {Host: []string{"*.test"}}}, -1},
		{"the name itself is not below it", []Rule{{Host: []string{"*.a.test"}}, {Host: []string{"a.test"}}}, -1},
		{"a name does not cover those below", []Rule{{Host: []string{"a.test"}}, {Host: []string{"*.a.test"}}}, -1},
		{"each name by another rule", []Rule{{Host: []string{"b.test"}}, {Host: []string{"a.test"}}, {Host: []string{"a.test", "b.test"}}}, 0},
		{"one name is left", []Rule{{Host: []string{"a.test"}}, {Host: []string{"a.test", "b.test"}}}, -1},
		{"name in a list", []Rule{{Category: []*List{finance}}, {Host: []string{"www.bank.test"}}}, 0},
		{"pattern in a list", []Rule{{Category: []*List{finance}}, {Host: []string{"*.bank.test"}}}, 0},
		{"name not in the list", []Rule{{Category: []*List{finance}}, {Host: []string{"bank.example"}}}, -1},
		{"same list", []Rule{{Category: []*List{finance}}, {Category: []*List{finance}, Port: []PortRange{{443, 443}}}}, 0},
		{"everything", []Rule{{}, {Host: []string{"a.test"}, Client: net("10.0.0.0/8")}}, 0},
		{"narrower condition", []Rule{{Host: []string{"a.test"}, Port: []PortRange{{443, 443}}}, {Host: []string{"a.test"}}}, -1},
		{"port in a range", []Rule{{Port: []PortRange{{400, 500}}}, {Host: []string{"a.test"}, Port: []PortRange{{443, 443}}}}, 0},
		{"network in a network", []Rule{{Client: net("10.0.0.0/8")}, {Client: net("10.1.0.0/16")}}, 0},
		{"network around a network", []Rule{{Client: net("10.1.0.0/16")}, {Client: net("10.0.0.0/8")}}, -1},
		{"origin in a network", []Rule{{Origin: net("192.0.2.0/24")}, {Origin: net("192.0.2.7/32"), Client: net("10.0.0.0/8")}}, 0},
		{"other family", []Rule{{Client: net("::/0")}, {Client: net("10.0.0.0/8")}}, -1},
		{"another intake", []Rule{{Intake: []string{"a"}}, {Intake: []string{"b"}}}, -1},
		{"protocol of several", []Rule{{Protocol: []string{"tls", "smtp"}}, {Protocol: []string{"smtp"}}}, 0},
		{"path", []Rule{{Path: []string{"/a/*"}}, {Path: []string{"/a/*"}, Method: []string{"GET"}, Action: Terminate}}, 0},
		{"path does not cover the session", []Rule{{Path: []string{"/a/*"}}, {Host: []string{"a.test"}}}, -1},
		{"issuer", []Rule{{Issuer: []string{"X"}}, {Issuer: []string{"X"}, Host: []string{"a.test"}}}, 0},
		{"only terminate believes an untrusted issuer", []Rule{{Issuer: []string{"X"}, Action: Tunnel}, {Issuer: []string{"X"}, Action: Terminate}}, -1},
		{"certificate name", []Rule{{OriginName: []string{"*.a.test"}}, {OriginName: []string{"*.a.test"}, Issuer: []string{"X"}}}, 0},
		{"another certificate name", []Rule{{OriginName: []string{"*.a.test"}}, {OriginName: []string{"*.b.test"}}}, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := New(tt.rules, Bump)
			if err != nil {
				t.Fatal(err)
			}
			got := table.Shadows(tt.rules, 10)
			last := len(tt.rules) - 1
			switch {
			case tt.by < 0 && len(got) == 0:
			case tt.by >= 0 && len(got) == 1 && got[0] == (Shadow{last, tt.by}):
			default:
				t.Errorf("shadows %v, want rule %d by %d", got, last, tt.by)
			}
		})
	}
}

// A rule that is said to be shadowed decides about none of many sessions.
func FuzzShadows(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09"))
	f.Add([]byte("\x11\x40\x02\x10\x00\x00\x12\x41\x02\xff"))
	hosts := []string{"a.test", "*.a.test", "b.a.test", "*.b.a.test", "*.test", "c.test"}
	nets := []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0"}
	f.Fuzz(func(t *testing.T, data []byte) {
		var rules []Rule
		for ; len(data) >= 3 && len(rules) < 8; data = data[3:] {
			r := Rule{Action: Action(data[2] & 3)}
			if h := int(data[0] & 7); h < len(hosts) {
				r.Host = append(r.Host, hosts[h])
			}
			if h := int(data[0] >> 3 & 7); h < len(hosts) && data[0]&0x80 != 0 {
				r.Host = append(r.Host, hosts[h])
			}
			if n := int(data[1] & 7); n < len(nets) {
				r.Client = append(r.Client, netip.MustParsePrefix(nets[n]))
			}
			if n := int(data[1] >> 3 & 7); n < len(nets) {
				r.Origin = append(r.Origin, netip.MustParsePrefix(nets[n]))
			}
			if data[2]&0x40 != 0 {
				r.Port = append(r.Port, PortRange{uint16(data[2] & 0x30), 443})
				r.Port[0].First++
			}
			rules = append(rules, r)
		}
		table, err := New(rules, Bump)
		if err != nil {
			t.Skip()
		}
		shadowed := make(map[string]bool)
		for _, s := range table.Shadows(rules, 100) {
			shadowed[table.rules[s.Rule].name] = true
		}
		for _, name := range []string{"a.test", "x.a.test", "b.a.test", "x.b.a.test", "c.test", "x.test", "other", ""} {
			for _, client := range []string{"10.0.0.1", "10.1.0.1", "10.1.2.3", "192.0.2.1"} {
				for _, origin := range []string{"10.0.0.1:443", "10.1.0.1:80", "10.1.2.3:20", "192.0.2.1:443"} {
					for _, host := range []string{"", "c.test", "a.test"} {
						d := table.Decide(&Facts{
							SNI: name, Host: host, TLS: true, Client: netip.AddrPortFrom(netip.MustParseAddr(client), 1), Origin: netip.MustParseAddrPort(origin),
						})
						if shadowed[d.Rule] {
							t.Fatalf("rule %s decides about %s, %s to %s, and is said to be shadowed", d.Rule, name, client, origin)
						}
					}
				}
			}
		}
	})
}
