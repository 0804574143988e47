package decrypt

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/quicclient"
)

func TestJudgeQUIC(t *testing.T) {
	raw, err := quicclient.Hello("www.evil.test", "h3")
	if err != nil {
		t.Fatal(err)
	}
	hello, _, err := clienthello.ParseMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	table := func(rules ...policy.Rule) *policy.Table {
		made, err := policy.New(rules, policy.Bump)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	events := func(actions policy.EventActions) *policy.Table {
		made, err := table().WithEvents(actions)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	evil := policy.Rule{Name: "evil", Host: []string{"*.evil.test"}, Action: policy.Terminate}
	other := policy.Rule{Name: "other", Host: []string{"other.test"}, Action: policy.Terminate}
	for _, tt := range []struct {
		name   string
		table  Policy
		hello  *clienthello.Hello
		block  bool
		names  Names
		rule   string
		reason string // empty: it passes
	}{
		{"passes", table(), hello, false, NamesBeside, "default", ""},
		{"refused by name", table(evil), hello, false, NamesBeside, "evil", reasonPolicy},
		{"another name", table(other), hello, false, NamesBeside, "default", ""},
		{"QUIC alone", table(policy.Rule{Name: "quic", Protocol: []string{"quic"}, Action: policy.Terminate}), hello, false, NamesBeside, "quic", reasonPolicy},
		{"TLS", table(policy.Rule{Name: "tls", Protocol: []string{"tls"}, Action: policy.Terminate}), hello, false, NamesBeside, "tls", reasonPolicy},
		{"HTTP", table(policy.Rule{Name: "http", Protocol: []string{"http"}, Action: policy.Terminate}), hello, false, NamesBeside, "default", ""},
		{"ALPN and fingerprint", table(policy.Rule{Name: "h3", ALPN: []string{"h3"}, JA4: []string{hello.JA4QUIC()}, Action: policy.Terminate}), hello, false, NamesBeside, "h3", reasonPolicy},
		{"fingerprint of TCP", table(policy.Rule{Name: "h3", JA4: []string{hello.JA4()}, Action: policy.Terminate}), hello, false, NamesBeside, "default", ""},
		{"blocked", table(), hello, true, NamesBeside, "default", reasonQUICBlocked},
		{"blocked, and refused by name", table(evil), hello, true, NamesBeside, "evil", reasonPolicy},
		{"blocked without a hello", table(), nil, true, NamesBeside, "default", reasonQUICBlocked},
		{"without a hello", table(), nil, false, NamesBeside, "default", ""},
		{"without a hello, a rule may terminate", table(other), nil, false, NamesBeside, "default", reasonQUICUnjudged},
		{"without a hello, an event may terminate", events(policy.EventActions{policy.NoSNI: policy.Terminate}), nil, false, NamesBeside, "default", reasonQUICUnjudged},
		{"without a hello, monitor", table(other).Monitor(), nil, false, NamesBeside, "default", ""},
		{"refused by name, monitor", table(evil).Monitor(), hello, false, NamesBeside, "evil", ""},
		{"name to be checked", table(policy.Rule{Name: "checked", Host: []string{"*.evil.test"}, Action: policy.TunnelCheck}), hello, false, NamesBeside, "checked", reasonQUICUnjudged},
		{"certificate to be asked for", table(policy.Rule{Name: "issued", Issuer: []string{"ca"}, Action: policy.Tunnel}), hello, false, NamesBeside, "default", reasonQUICUnjudged},
		{"name to be looked up", table(), hello, false, NamesFirst, "default", reasonQUICUnjudged},
		{"a policy that does not say", decide(func(*policy.Facts) policy.Action { return policy.Bump }), nil, false, NamesBeside, "", reasonQUICUnjudged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := New(Config{Policy: tt.table, Names: tt.names, Forger: &forger{}, Verifier: judge{}})
			if err != nil {
				t.Fatal(err)
			}
			q := &QUIC{Version: 1, Datagrams: 2}
			s := e.JudgeQUIC(&Incoming{Intake: "wire"}, q, tt.hello, tt.block)
			want := Tunneling
			if tt.reason != "" {
				want = Terminated
			}
			if s.Reason != tt.reason || q.Refused != (tt.reason != "") || s.Outcome != want || tt.rule != "" && s.Decision.Rule != tt.rule {
				t.Errorf("%v by rule %q, reason %q, refused %v", s.Outcome, s.Decision.Rule, s.Reason, q.Refused)
			}
			if s.QUIC != q || s.Protocol != "quic" || s.Intake != "wire" || s.End.Before(s.Start) {
				t.Errorf("session %+v", s)
			}
			if tt.hello != nil && (s.SNI != "www.evil.test" || !strings.HasPrefix(s.ClientTLS.JA4, "q13d") || len(q.ALPN) != 1 || q.ALPN[0] != "h3") {
				t.Errorf("name %q, JA4 %q, ALPN %q", s.SNI, s.ClientTLS.JA4, q.ALPN)
			}
		})
	}
}
