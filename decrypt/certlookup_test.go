package decrypt

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// rules is a table of the test's; what no rule matches is bumped.
func rules(t testing.TB, def policy.Action, rules ...policy.Rule) *policy.Table {
	t.Helper()
	table, err := policy.New(rules, def)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestInquiry has rules that ask for the origin's certificate.
func TestInquiry(t *testing.T) {
	issued := func(action policy.Action) policy.Rule {
		return policy.Rule{Name: "issued", Issuer: []string{"origins"}, Action: action}
	}
	for _, tt := range []struct {
		name    string
		rules   []policy.Rule
		def     policy.Action
		origin  func(*tls.Config)
		change  func(*testbed)
		outcome Outcome
		rule    string
		own     bool  // the client sees the origin's own certificate
		hands   int32 // hellos that the origin was sent
	}{
		{name: "tunnel", rules: []policy.Rule{issued(policy.Tunnel)}, outcome: Tunneling, rule: "issued", own: true, hands: 2},
		{name: "tunnel from terminate", rules: []policy.Rule{issued(policy.Tunnel)}, def: policy.Terminate, outcome: Tunneling, rule: "issued", own: true, hands: 2},
		{name: "bump", rules: []policy.Rule{issued(policy.Bump)}, def: policy.Terminate, outcome: Bumped, rule: "issued", hands: 1},
		{name: "terminate", rules: []policy.Rule{issued(policy.Terminate)}, outcome: Terminated, rule: "issued", hands: 1},
		{name: "tunnel-check needs no probe", rules: []policy.Rule{issued(policy.TunnelCheck)}, outcome: Tunneling, rule: "issued", own: true, hands: 2},
		{name: "another issuer", rules: []policy.Rule{{Name: "r", Issuer: []string{"nobody"}, Action: policy.Tunnel}}, outcome: Bumped, rule: "default", hands: 1},
		{name: "another issuer, tunnel", rules: []policy.Rule{{Name: "r", Issuer: []string{"nobody"}}}, def: policy.Tunnel, outcome: Tunneling, rule: "default", own: true, hands: 2},
		{name: "name", rules: []policy.Rule{{Name: "r", OriginName: []string{"*.example.test"}, Action: policy.Tunnel}}, outcome: Tunneling, rule: "r", own: true, hands: 2},
		{
			name: "who is not trusted is not believed", rules: []policy.Rule{issued(policy.Tunnel)},
			change:  func(b *testbed) { b.cfg.Verifier = judge{b.forger.trusted.pool} },
			outcome: Failed, rule: "default", hands: 1,
		},
		{
			name: "not even to be asked", rules: []policy.Rule{issued(policy.Terminate)}, def: policy.Terminate,
			outcome: Terminated, rule: "default",
		},
		{
			name: "origin asks for a certificate", rules: []policy.Rule{issued(policy.Tunnel)},
			origin: func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, outcome: Tunneling, rule: "issued", own: true, hands: 2,
		},
		{
			name: "origin asks for a certificate and is terminated", rules: []policy.Rule{issued(policy.Terminate)},
			origin: func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, outcome: Terminated, rule: "issued", hands: 1,
		},
		{
			name: "origin cannot be asked", rules: []policy.Rule{issued(policy.Bump)}, def: policy.Tunnel,
			origin: func(c *tls.Config) {
				c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
			}, outcome: Tunneling, rule: "default", own: true, hands: 2,
		},
		{
			name: "the rule offers less", rules: []policy.Rule{{
				Name: "r", Issuer: []string{"origins"}, Treatment: policy.Treatment{ALPNOffer: []string{"http/1.1"}},
			}},
			origin: func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, outcome: Bumped, rule: "r", hands: 2,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var hands atomic.Int32
			var secrets, spoken bytes.Buffer
			b := newTLSTestbed(t, echo, func(cfg *tls.Config) {
				cfg.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { hands.Add(1); return nil, nil }
				if tt.origin != nil {
					tt.origin(cfg)
				}
			}, func(b *testbed) {
				b.cfg.Policy = rules(t, tt.def, tt.rules...)
				b.cfg.KeyLog = func(s *Session) io.Writer {
					if s.Decision.Rule != tt.rule {
						t.Errorf("secrets of rule %s", s.Decision.Rule)
					}
					return &secrets
				}
				if tt.change != nil {
					tt.change(b)
				}
			})
			c := b.client(func(cfg *tls.Config) {
				cfg.NextProtos, cfg.KeyLogWriter = []string{"h2", "http/1.1"}, &spoken
				if tt.own {
					cfg.RootCAs = b.origins.pool
					cfg.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
				}
			})
			carried := tt.outcome == Tunneling || tt.outcome == Bumped
			err := c.Handshake()
			if (err == nil) != carried {
				t.Errorf("client: %v", err)
			}
			if carried {
				c.Write([]byte("x"))
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Error(err)
				}
			}
			c.Close()
			s := b.session()
			if s.Outcome != tt.outcome || s.Decision.Rule != tt.rule || hands.Load() != tt.hands {
				t.Errorf("%s by rule %s (%s %v), %d hellos", s.Outcome, s.Decision.Rule, s.Reason, s.Err, hands.Load())
			}
			if tt.name == "the rule offers less" && s.ALPN != "http/1.1" {
				t.Errorf("alpn %q", s.ALPN)
			}
			want := 0
			if tt.outcome == Bumped {
				want = 2
			}
			if n := strings.Count(secrets.String(), "CLIENT_TRAFFIC_SECRET_0"); n != want && tt.hands != 2 && s.Outcome != Failed {
				t.Errorf("secrets of %d legs given away, want %d", n, want)
			}
		})
	}
}

// TestInquiryAfterUpgrade asks within a dialogue, which cannot be started over.
func TestInquiryAfterUpgrade(t *testing.T) {
	for _, tt := range []struct {
		name    string
		issuer  string
		outcome Outcome
		reason  string
	}{
		{"another issuer", "nobody", Bumped, ""},
		{"tunnel comes too late", "origins", Failed, "too-late"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTestbed(t, mailOrigin, func(b *testbed) {
				b.cfg.Policy = rules(t, policy.Bump, policy.Rule{Name: "r", Issuer: []string{tt.issuer}, Action: policy.Tunnel})
			})
			conn := b.dial()
			askTLS(t, conn)
			c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			if err := c.Handshake(); (err == nil) != (tt.reason == "") {
				t.Errorf("client: %v", err)
			}
			if tt.reason == "" {
				io.WriteString(c, "NOOP\r\n")
				if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "250 secure NOOP\r\n" {
					t.Errorf("read %q, %v", line, err)
				}
			}
			c.Close()
			if s := b.session(); s.Outcome != tt.outcome || s.Reason != tt.reason {
				t.Errorf("%s (%s %v)", s.Outcome, s.Reason, s.Err)
			}
		})
	}
}

// A decision that needs the origin, or its name's addresses, is none that an
// intake can make.
func TestPreviewPending(t *testing.T) {
	flight := hello(t)
	for _, row := range []struct {
		name string
		cfg  Config
		want policy.Action
	}{
		{"certificate", Config{Policy: rules(t, policy.Tunnel, policy.Rule{Issuer: []string{"ca"}})}, policy.Bump},
		{"names", Config{Policy: rules(t, policy.Tunnel), Names: NamesFirst}, policy.Bump},
		{"monitored", Config{Policy: rules(t, policy.Bump, policy.Rule{Issuer: []string{"ca"}}).Monitor()}, policy.Tunnel},
		{"neither", Config{Policy: rules(t, policy.Tunnel)}, policy.Tunnel},
	} {
		row.cfg.Forger, row.cfg.Verifier = &forger{}, judge{}
		e, err := New(row.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if action, more := e.Preview(&Incoming{}, flight); more || action != row.want {
			t.Errorf("%s: %s, more %t", row.name, action, more)
		}
	}
}
