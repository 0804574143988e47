package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecideCondition(t *testing.T) {
	prefix := netip.MustParsePrefix
	addr := netip.MustParseAddrPort
	tests := []struct {
		name  string
		rule  Rule
		facts Facts
		want  bool
	}{
		{"no condition", Rule{}, Facts{}, true},

		{"host, server name", Rule{Host: []string{"a.test"}}, Facts{SNI: "a.test"}, true},
		{"host, asked-for host", Rule{Host: []string{"a.test"}}, Facts{Host: "a.test"}, true},
		{"host, either of two that differ", Rule{Host: []string{"a.test"}}, Facts{SNI: "b.test", Host: "a.test"}, true},
		{"host, neither", Rule{Host: []string{"a.test"}}, Facts{SNI: "b.test", Host: "c.test"}, false},
		{"host, one of several", Rule{Host: []string{"a.test", "b.test"}}, Facts{SNI: "b.test"}, true},
		{"host, unknown", Rule{Host: []string{"a.test"}}, Facts{}, false},
		{"host, below is not itself", Rule{Host: []string{"a.test"}}, Facts{SNI: "www.a.test"}, false},
		{"host, folded", Rule{Host: []string{"A.Test."}}, Facts{SNI: "a.TEST"}, true},
		{"host, trailing dot", Rule{Host: []string{"a.test"}}, Facts{Host: "a.test."}, true},
		{"host, U-label pattern", Rule{Host: []string{"Bücher.test"}}, Facts{SNI: "xn--bcher-kva.test"}, true},
		{"host, U-label fact", Rule{Host: []string{"*.xn--bcher-kva.test"}}, Facts{Host: "www.bÜcher。test"}, true},
		{"host, NUL in the fact", Rule{Host: []string{"a.test"}}, Facts{Host: "a.test\x00"}, false},
		{"host, over-long fact", Rule{Host: []string{"*.test"}}, Facts{Host: strings.Repeat("a.", 130) + "test"}, false},
		{"star, one below", Rule{Host: []string{"*.a.test"}}, Facts{SNI: "www.a.test"}, true},
		{"star, deeper", Rule{Host: []string{"*.a.test"}}, Facts{SNI: "x.y.z.a.test"}, true},
		{"star, not the apex", Rule{Host: []string{"*.a.test"}}, Facts{SNI: "a.test"}, false},
		{"star and apex", Rule{Host: []string{"*.a.test", "a.test"}}, Facts{SNI: "a.test"}, true},
		{"star, whole labels only", Rule{Host: []string{"*.a.test"}}, Facts{SNI: "wwwa.test"}, false},
		{"host, IPv4", Rule{Host: []string{"192.0.2.7"}}, Facts{Host: "192.0.2.7"}, true},
		{"host, IPv6 in another spelling", Rule{Host: []string{"2001:DB8::0:1"}}, Facts{Host: "[2001:db8::1]"}, true},
		{"host, IPv4 with a trailing dot", Rule{Host: []string{"192.0.2.7"}}, Facts{Host: "192.0.2.7."}, true},
		{"host, address in an odd notation", Rule{Host: []string{"127.0.0.1"}}, Facts{Host: "127.1"}, false},
		{"star does not reach into addresses", Rule{Host: []string{"*.test"}}, Facts{Host: "192.0.2.7"}, false},

		{"client", Rule{Client: []netip.Prefix{prefix("192.0.2.0/24")}}, Facts{Client: addr("192.0.2.9:5")}, true},
		{"client, outside", Rule{Client: []netip.Prefix{prefix("192.0.2.0/24")}}, Facts{Client: addr("192.0.3.9:5")}, false},
		{"client, unknown", Rule{Client: []netip.Prefix{prefix("0.0.0.0/0"), prefix("::/0")}}, Facts{}, false},
		{"client, IPv4 in IPv6", Rule{Client: []netip.Prefix{prefix("192.0.2.0/24")}}, Facts{Client: addr("[::ffff:192.0.2.9]:5")}, true},
		{"client, prefix of IPv4 in IPv6", Rule{Client: []netip.Prefix{prefix("::ffff:192.0.2.0/120")}}, Facts{Client: addr("192.0.2.9:5")}, true},
		{"client, prefix with host bits", Rule{Client: []netip.Prefix{prefix("192.0.2.77/24")}}, Facts{Client: addr("192.0.2.9:5")}, true},
		{"client, zone", Rule{Client: []netip.Prefix{prefix("fe80::/10")}}, Facts{Client: addr("[fe80::1%eth0]:5")}, true},
		{"origin", Rule{Origin: []netip.Prefix{prefix("2001:db8::/32")}}, Facts{Origin: addr("[2001:db8::9]:443")}, true},
		{"origin is not the client", Rule{Origin: []netip.Prefix{prefix("192.0.2.0/24")}}, Facts{Client: addr("192.0.2.9:5"), Origin: addr("198.51.100.1:443")}, false},

		{"port", Rule{Port: []PortRange{{25, 25}, {465, 465}}}, Facts{Origin: addr("192.0.2.1:465")}, true},
		{"port, in a range", Rule{Port: []PortRange{{8000, 8999}}}, Facts{Origin: addr("192.0.2.1:8999")}, true},
		{"port, outside", Rule{Port: []PortRange{{8000, 8999}}}, Facts{Origin: addr("192.0.2.1:9000")}, false},
		{"port, unknown", Rule{Port: []PortRange{{1, 65535}}}, Facts{}, false},
		{"port is not the client's", Rule{Port: []PortRange{{25, 25}}}, Facts{Client: addr("192.0.2.1:25"), Origin: addr("192.0.2.1:443")}, false},

		{"protocol", Rule{Protocol: []string{"SMTP"}}, Facts{Protocol: "smtp"}, true},
		{"protocol, another", Rule{Protocol: []string{"smtp"}}, Facts{Protocol: "imap"}, false},
		{"protocol, unknown", Rule{Protocol: []string{"smtp"}}, Facts{}, false},
		{"protocol tls by hello", Rule{Protocol: []string{"tls"}}, Facts{Protocol: "smtp", TLS: true}, true},
		{"protocol tls by name", Rule{Protocol: []string{"tls"}}, Facts{Protocol: "tls"}, true},
		{"protocol tls, plain session", Rule{Protocol: []string{"tls"}}, Facts{Protocol: "http"}, false},
		{"protocol under tls", Rule{Protocol: []string{"smtp"}}, Facts{Protocol: "smtp", TLS: true}, true},

		{"alpn, any offered", Rule{ALPN: []string{"h2"}}, Facts{ALPN: []string{"http/1.1", "h2"}}, true},
		{"alpn, not offered", Rule{ALPN: []string{"h2"}}, Facts{ALPN: []string{"http/1.1"}}, false},
		{"alpn, letter case counts", Rule{ALPN: []string{"H2"}}, Facts{ALPN: []string{"h2"}}, false},
		{"alpn, unknown", Rule{ALPN: []string{"h2"}}, Facts{}, false},

		{"all conditions", Rule{Host: []string{"a.test"}, Port: []PortRange{{443, 443}}}, Facts{SNI: "a.test", Origin: addr("192.0.2.1:443")}, true},
		{"all but one", Rule{Host: []string{"a.test"}, Port: []PortRange{{443, 443}}}, Facts{SNI: "a.test", Origin: addr("192.0.2.1:80")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rule.Name, tt.rule.Action = "rule", Tunnel
			table, err := New([]Rule{tt.rule}, Bump)
			if err != nil {
				t.Fatal(err)
			}
			want := Decision{Rule: "default", Action: Bump}
			if tt.want {
				want = Decision{Rule: "rule", Action: Tunnel}
			}
			got := table.Decide(&tt.facts)
			got.Claim = NoClaim // see TestClaim
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			steps := table.Explain(&tt.facts)
			if last := steps[len(steps)-1]; !last.Matched || last.Rule != want.Rule || last.Action != want.Action {
				t.Errorf("Explain ends with %v, want %v", last, want)
			}
			if !tt.want && steps[0].Why == "" {
				t.Error("no reason given")
			}
		})
	}
}

func TestFirstMatchWins(t *testing.T) {
	table, err := New([]Rule{
		{Name: "one", Host: []string{"x.test"}, Action: Terminate},
		{Host: []string{"*.test"}, Action: Tunnel},
		{Name: "three", Action: TunnelCheck},
	}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	for sni, want := range map[string]Decision{
		"x.test":    {Rule: "one", Action: Terminate},
		"y.test":    {Rule: "rule-2", Action: Tunnel, Claim: SNIClaim},
		"y.example": {Rule: "three", Action: TunnelCheck},
	} {
		if got := table.Decide(&Facts{SNI: sni}); got != want {
			t.Errorf("%s: got %v, want %v", sni, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name string
		rule Rule
		want string // in the error, beside the rule's name
	}{
		{"default as name", Rule{Name: "default"}, "the name stands for"},
		{"action", Rule{Action: 9}, "unknown action 9"},
		{"empty host", Rule{Host: []string{"a.test", ""}}, `host ""`},
		{"star alone", Rule{Host: []string{"*"}}, `host "*"`},
		{"star without name", Rule{Host: []string{"*."}}, `host "*."`},
		{"star inside", Rule{Host: []string{"a.*.test"}}, `host "a.*.test"`},
		{"star in a label", Rule{Host: []string{"w*.test"}}, `host "w*.test"`},
		{"star before an address", Rule{Host: []string{"*.192.0.2.1"}}, `host "*.192.0.2.1"`},
		{"broken address", Rule{Host: []string{"192.0.2.300"}}, `host "192.0.2.300"`},
		{"prefix as host", Rule{Host: []string{"192.0.2.0/24"}}, `host "192.0.2.0/24"`},
		{"host with port", Rule{Host: []string{"a.test:443"}}, `host "a.test:443"`},
		{"URL", Rule{Host: []string{"https://a.test/"}}, `host "https://a.test/"`},
		{"empty label", Rule{Host: []string{"a..test"}}, `host "a..test"`},
		{"long label", Rule{Host: []string{strings.Repeat("a", 64) + ".test"}}, "host "},
		{"prefix", Rule{Client: []netip.Prefix{{}}}, "client invalid Prefix"},
		{"origin prefix", Rule{Origin: []netip.Prefix{{}}}, "origin invalid Prefix"},
		{"port 0", Rule{Port: []PortRange{{0, 5}}}, "port 0-5"},
		{"port range upside down", Rule{Port: []PortRange{{9, 5}}}, "port 9-5"},
		{"empty protocol", Rule{Protocol: []string{""}}, `protocol ""`},
		{"empty alpn", Rule{ALPN: []string{""}}, `alpn ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.rule.Name == "" {
				tt.rule.Name = "broken"
			}
			_, err := New([]Rule{{Name: "fine"}, tt.rule}, Bump)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.rule.Name) {
				t.Errorf("got %v, want %q and the rule's name in it", err, tt.want)
			}
		})
	}
	if _, err := New([]Rule{{Name: "a"}, {Name: "a"}}, Bump); err == nil {
		t.Error("two rules of a name accepted")
	}
	if _, err := New(nil, 7); err == nil {
		t.Error("unknown default accepted")
	}
}

func TestNewCopies(t *testing.T) {
	rule := Rule{Name: "r", Host: []string{"a.test"}, Port: []PortRange{{443, 443}}, ALPN: []string{"h2"}, Action: Tunnel}
	table, err := New([]Rule{rule}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	rule.Host[0], rule.Port[0], rule.ALPN[0] = "b.test", PortRange{80, 80}, "x"
	f := Facts{SNI: "a.test", Origin: netip.MustParseAddrPort("192.0.2.1:443"), ALPN: []string{"h2"}}
	if got := table.Decide(&f); got.Rule != "r" {
		t.Errorf("got %v", got)
	}
}

func TestExplain(t *testing.T) {
	prefix := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	table, err := New([]Rule{
		{Name: "mail", Protocol: []string{"smtp", "imap"}},
		{Name: "ports", Port: []PortRange{{25, 25}, {8000, 8999}}},
		{Name: "origin", Origin: prefix},
		{Name: "client", Client: prefix},
		{Name: "alpn", ALPN: []string{"h2"}},
		{Name: "banks", Host: []string{"*.bank.test"}, Action: Tunnel},
		{Name: "rest", Action: Terminate},
		{Name: "never"},
	}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		facts Facts
		want  []string
	}{
		{"known", Facts{
			Protocol: "http", TLS: true, SNI: "WWW.a.test", Host: "b.test", ALPN: []string{"http/1.1"},
			Client: netip.MustParseAddrPort("198.51.100.1:1"), Origin: netip.MustParseAddrPort("198.51.100.2:443"),
		}, []string{
			"mail: protocol is http with tls, not smtp, imap",
			"ports: port is 443, not 25, 8000-8999",
			"origin: origin is 198.51.100.2, not in 192.0.2.0/24",
			"client: client is 198.51.100.1, not in 192.0.2.0/24",
			"alpn: client offers alpn http/1.1, not h2",
			"banks: server name www.a.test and host b.test not among the rule's hosts",
			"rest: matches, terminate",
		}},
		{"unknown", Facts{}, []string{
			"mail: protocol is not known",
			"ports: port is not known",
			"origin: origin is not known",
			"client: client is not known",
			"alpn: client offers no alpn",
			"banks: no usable host name is known",
			"rest: matches, terminate",
		}},
		{"tls alone", Facts{TLS: true, SNI: "x.bank.test", Client: netip.MustParseAddrPort("192.0.2.1:1")}, []string{
			"mail: protocol is tls, not smtp, imap",
			"ports: port is not known",
			"origin: origin is not known",
			"client: matches, bump",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, step := range table.Explain(&tt.facts) {
				got = append(got, step.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseAction(t *testing.T) {
	tests := []struct {
		name string
		want Action
		ok   bool
	}{
		{"bump", Bump, true}, {"Decrypt", Bump, true}, {" tunnel ", Tunnel, true}, {"splice", Tunnel, true},
		{"bypass", Tunnel, true}, {"tunnel-check", TunnelCheck, true}, {"Tunnel with SNI check", TunnelCheck, true},
		{"terminate", Terminate, true}, {"block", 0, false}, {"", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := ParseAction(tt.name); got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	for a := Bump; a <= Terminate; a++ {
		if got, err := ParseAction(a.String()); got != a || err != nil {
			t.Errorf("%v reads as %v, %v", a, got, err)
		}
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	table := manyNames(t, 1000)
	facts := Facts{
		SNI: "www.n77.bank.TEST.", Host: "192.0.2.7", Protocol: "smtp", TLS: true, ALPN: []string{"h2", "http/1.1"},
		Client: netip.MustParseAddrPort("[::ffff:192.0.2.9]:5"), Origin: netip.MustParseAddrPort("198.51.100.2:443"),
	}
	if n := testing.AllocsPerRun(100, func() { table.Decide(&facts) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestHostInDoubt has a request that servers may take for different hosts. It meets
// rules that terminate, and no other rule on a host.
func TestHostInDoubt(t *testing.T) {
	rule := func(name string, a Action, host string, port uint16) Rule {
		r := Rule{Name: name, Action: a, Host: []string{host}}
		if port > 0 {
			r.Port = []PortRange{{port, port}}
		}
		return r
	}
	for _, tt := range []struct {
		name  string
		rules []Rule
		want  string
	}{
		{"terminate", []Rule{rule("evil", Terminate, "evil.test", 0)}, "evil"},
		{"tunnel", []Rule{rule("bank", Tunnel, "bank.test", 0)}, Default},
		{"bump, then terminate", []Rule{rule("good", Bump, "good.test", 0), rule("evil", Terminate, "evil.test", 0)}, "evil"},
		{"another port", []Rule{rule("evil", Terminate, "evil.test", 81)}, Default},
		{"another rule before", []Rule{{Name: "all", Action: Bump, Port: []PortRange{{80, 80}}}, rule("evil", Terminate, "evil.test", 0)}, "all"},
		{"no host asked for", []Rule{{Name: "port", Action: Terminate, Port: []PortRange{{81, 81}}}}, Default},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := New(tt.rules, Bump)
			if err != nil {
				t.Fatal(err)
			}
			f := Facts{Protocol: "http", Origin: netip.MustParseAddrPort("192.0.2.1:80"), HostDoubt: true}
			if d := table.Decide(&f); d.Rule != tt.want {
				t.Errorf("rule %q decides, want %q", d.Rule, tt.want)
			}
			steps := table.Explain(&f)
			if last := steps[len(steps)-1]; last.Rule != tt.want {
				t.Errorf("explained as %v", steps)
			}
			f.HostDoubt = false
			if d := table.Decide(&f); d.Action == Terminate {
				t.Errorf("without doubt %q terminates", d.Rule)
			}
		})
	}
}
