package decrypt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// directory resolves names to the addresses it holds, and turns them at each
// look-up, as servers do to spread load.
type directory map[string][]netip.Addr

func (d directory) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	switch addrs, ok := d[host]; {
	case host == "slow.example.test":
		<-ctx.Done()
		return nil, ctx.Err()
	case !ok:
		return nil, &net.DNSError{Name: host, IsNotFound: true}
	case len(addrs) == 0:
		return nil, errors.New("server failure")
	default:
		return slices.Clone(addrs), nil
	}
}

// http2Request is the beginning of an HTTP/2 connection with a request for authority, in
// literals without indexing (RFC 7541, Section 6.2.2), with fields host.
func http2Request(authority string, hosts ...string) string {
	block := "\x82\x87\x84\x01" + string(rune(len(authority))) + authority // GET, https, /, :authority
	for _, h := range hosts {
		block += "\x0f\x17" + string(rune(len(h))) + h // host
	}
	return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" +
		"\x00\x00" + string(rune(len(block))) + "\x01\x05\x00\x00\x00\x01" + block
}

func TestEvents(t *testing.T) {
	here, there := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")
	names := directory{"www.example.test": {there, here}, "else.example.test": {there}, "fail.example.test": {}, "public.example.test": {here}}
	cbc := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	for _, tt := range []struct {
		name    string
		actions policy.EventActions
		client  func(*tls.Config)
		origin  func(*tls.Config)
		alpn    string
		send    string
		events  []string
		outcome Outcome
		rule    string
		reason  string
	}{
		{name: "nothing", outcome: Bumped, rule: "default"},
		{name: "nothing, and actions", actions: policy.EventActions{policy.NoSNI: policy.Terminate, policy.SNIUnresolved: policy.Terminate, policy.NoSharedCipher: policy.Tunnel, policy.SNIMismatch: policy.Terminate}, outcome: Bumped, rule: "default"},
		{name: "no name", client: func(c *tls.Config) { c.ServerName = "" }, events: []string{"no-sni"}, outcome: Bumped, rule: "default"},
		{name: "no name, terminate", actions: policy.EventActions{policy.NoSNI: policy.Terminate}, client: func(c *tls.Config) { c.ServerName = "" },
			events: []string{"no-sni"}, outcome: Terminated, rule: "event:no-sni", reason: "policy"},
		{name: "an address is no name", client: func(c *tls.Config) { c.ServerName = "127.0.0.1" }, events: []string{"no-sni"}, outcome: Bumped, rule: "default"},
		{name: "unresolved, terminate", actions: policy.EventActions{policy.SNIUnresolved: policy.Terminate}, client: func(c *tls.Config) { c.ServerName = "else.example.test" },
			events: []string{"sni-unresolved"}, outcome: Terminated, rule: "event:sni-unresolved", reason: "policy"},
		{name: "unknown to the DNS, tunnel", actions: policy.EventActions{policy.SNIUnresolved: policy.Tunnel}, client: func(c *tls.Config) { c.ServerName = "x.example.test" },
			events: []string{"sni-unresolved"}, outcome: Tunneling, rule: "event:sni-unresolved"},
		{name: "a failing DNS proves nothing", actions: policy.EventActions{policy.SNIUnresolved: policy.Terminate}, client: func(c *tls.Config) { c.ServerName = "fail.example.test" },
			outcome: Bumped, rule: "default"},
		{name: "old suites", client: func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, cbc },
			events: []string{"no-shared-cipher"}, outcome: Failed, rule: "default", reason: "client-handshake"},
		{name: "old suites, tunnel", actions: policy.EventActions{policy.NoSharedCipher: policy.Tunnel}, client: func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, cbc },
			events: []string{"no-shared-cipher"}, outcome: Tunneling, rule: "event:no-shared-cipher"},
		{name: "old version", client: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			events: []string{"no-shared-cipher"}, outcome: Failed, rule: "default", reason: "client-handshake"},
		{name: "old origin", origin: func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, cbc },
			events: []string{"no-shared-cipher"}, outcome: Failed, rule: "default", reason: "origin-handshake"},
		{name: "old origin, tunnel", actions: policy.EventActions{policy.NoSharedCipher: policy.Tunnel}, origin: func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, cbc },
			events: []string{"no-shared-cipher"}, outcome: Tunneling, rule: "event:no-shared-cipher"},
		{name: "old origin, terminate", actions: policy.EventActions{policy.NoSharedCipher: policy.Terminate}, origin: func(c *tls.Config) { c.MaxVersion, c.CipherSuites = tls.VersionTLS12, cbc },
			events: []string{"no-shared-cipher"}, outcome: Terminated, rule: "event:no-shared-cipher", reason: "policy"},
		{name: "another host inside", send: "GET / HTTP/1.1\r\nHost: bank.test\r\n\r\n", events: []string{"sni-mismatch"}, outcome: Bumped, rule: "default"},
		{name: "the same host inside", send: "GET / HTTP/1.1\r\nHost: WWW.example.test:8443\r\n\r\n", outcome: Bumped, rule: "default"},
		{name: "another host inside, terminate", actions: policy.EventActions{policy.SNIMismatch: policy.Terminate}, send: "GET / HTTP/1.1\r\nHost: bank.test\r\n\r\n",
			events: []string{"sni-mismatch"}, outcome: Terminated, rule: "event:sni-mismatch", reason: "sni-mismatch"},
		{name: "another host inside, HTTP/2", send: http2Request("bank.test"), alpn: "h2", events: []string{"sni-mismatch"}, outcome: Bumped, rule: "default"},
		{name: "the same host inside, HTTP/2", send: http2Request("www.example.test:8443"), alpn: "h2", outcome: Bumped, rule: "default"},
		{name: "two hosts inside, HTTP/2", send: http2Request("www.example.test", "bank.test"), alpn: "h2", events: []string{"sni-mismatch"}, outcome: Bumped, rule: "default"},
		{name: "no HTTP inside", actions: policy.EventActions{policy.SNIMismatch: policy.Terminate}, send: "EHLO bank.test\r\n", outcome: Bumped, rule: "default"},
		{name: "ECH", client: func(c *tls.Config) { c.EncryptedClientHelloConfigList = echConfig(t) }, events: []string{"ech"}, outcome: Failed, rule: "default", reason: "client-handshake"},
		{name: "ECH, terminate", actions: policy.EventActions{policy.ECH: policy.Terminate}, client: func(c *tls.Config) { c.EncryptedClientHelloConfigList = echConfig(t) },
			events: []string{"ech"}, outcome: Terminated, rule: "event:ech", reason: "policy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, func(cfg *tls.Config) {
				cfg.NextProtos = []string{"h2", "http/1.1"}
				if tt.origin != nil {
					tt.origin(cfg)
				}
			}, func(b *testbed) {
				table, err := rules(t, policy.Bump).WithEvents(tt.actions)
				if err != nil {
					t.Fatal(err)
				}
				if _, decides := table.Event(policy.SNIUnresolved); decides {
					b.cfg.Names = NamesFirst
				}
				b.cfg.Policy, b.cfg.Resolver = table, names
				b.cfg.Origin.OnInvalid.Default = Untrusted
			})
			c := b.client(func(cfg *tls.Config) {
				cfg.InsecureSkipVerify = true
				if tt.alpn != "" {
					cfg.NextProtos = []string{tt.alpn}
				}
				if tt.client != nil {
					tt.client(cfg)
				}
			})
			err := c.Handshake()
			if carried := tt.outcome == Bumped || tt.outcome == Tunneling || tt.send != ""; (err == nil) != carried {
				t.Errorf("client: %v", err)
			}
			if tt.send != "" {
				io.WriteString(c, tt.send)
				got := make([]byte, len(tt.send))
				if n, err := io.ReadFull(c, got); (err == nil && !bytes.HasPrefix(got, []byte("HTTP/1.1 421 "))) == (tt.reason != "") {
					t.Errorf("%d octets came back, %v", n, err)
				}
			}
			c.Close()
			s := b.session()
			if s.Outcome != tt.outcome || s.Decision.Rule != tt.rule || s.Reason != tt.reason && s.Outcome != Tunneling {
				t.Errorf("%s by rule %s (%s %v)", s.Outcome, s.Decision.Rule, s.Reason, s.Err)
			}
			if got := s.Events().Names(); !slices.Equal(got, tt.events) {
				t.Errorf("events %v, want %v", got, tt.events)
			}
		})
	}
}

// unasked is a resolver that nobody may ask.
type unasked struct{ *testing.T }

func (u unasked) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	u.Errorf("%s is looked up", host)
	return nil, errors.New("not asked")
}

// Nobody waits for a name that is looked up for the log only, and the search ends
// with the session.
func TestNameBeside(t *testing.T) {
	names := directory{"else.example.test": {netip.MustParseAddr("192.0.2.1")}}
	never := newTLSTestbed(t, echo, nil, func(b *testbed) {
		b.cfg.Policy, b.cfg.Resolver, b.cfg.Names = rules(t, policy.Tunnel), unasked{t}, NamesNever
	})
	unlooked := never.client(func(cfg *tls.Config) { cfg.InsecureSkipVerify = true })
	if err := unlooked.Handshake(); err != nil {
		t.Error(err)
	}
	unlooked.Close()
	never.session()
	b := newTLSTestbed(t, echo, nil, func(b *testbed) { b.cfg.Policy, b.cfg.Resolver, b.cfg.Tap = rules(t, policy.Tunnel), names, nil })
	for name, want := range map[string]bool{"else.example.test": true, "slow.example.test": false} {
		c := b.client(func(cfg *tls.Config) { cfg.ServerName, cfg.InsecureSkipVerify = name, true })
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		if want {
			time.Sleep(50 * time.Millisecond) // long enough for the search, which has nothing to wait for
		}
		start := time.Now()
		c.Close()
		if s := b.session(); s.Events().Has(policy.SNIUnresolved) != want || time.Since(start) > 5*time.Second {
			t.Errorf("%s: events %v after %v", name, s.Events().Names(), time.Since(start))
		}
	}
}

// The requested name of a proxy and the server name are held against each other.
func TestProxyName(t *testing.T) {
	for _, row := range []struct {
		asked string
		want  bool
	}{{"www.example.test", false}, {"WWW.Example.test.", false}, {"other.example.test", true}, {"", false}, {"192.0.2.1", false}} {
		e, err := New(Config{Policy: rules(t, policy.Tunnel), Forger: &forger{}, Verifier: judge{}})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := e.preview(&Incoming{Name: row.asked}, hello(t))
		if got := d.account.Events().Has(policy.SNIMismatch); got != row.want {
			t.Errorf("asked for %q: mismatch %t", row.asked, got)
		}
	}
}

// TestCheckedTunnel: a harmless name does not open the way to a foreign
// destination, whatever version hides the certificate. Where the DNS answers, the
// certificate does not count.
func TestCheckedTunnel(t *testing.T) {
	here, there := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.1")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tt := range []struct {
			name, sni string
			names     directory
			outcome   Outcome
		}{
			{"foreign destination", "harmless.test", directory{"harmless.test": {there}}, Terminated},
			{"unknown name", "harmless.test", directory{}, Terminated},
			{"no resolver, foreign", "harmless.test", nil, Terminated},
			{"no name", "", directory{}, Terminated},
			{"one of many addresses", "harmless.test", directory{"harmless.test": {there, here}}, Tunneling},
			{"other addresses now, certificate", "www.example.test", directory{"www.example.test": {there}}, Terminated},
			{"no answer, certificate", "www.example.test", directory{"www.example.test": nil}, Tunneling},
		} {
			t.Run(strings.ReplaceAll(tls.VersionName(version), " ", "")+" "+tt.name, func(t *testing.T) {
				b := newTLSTestbed(t, echo, func(c *tls.Config) { c.MaxVersion = version }, func(b *testbed) {
					b.cfg.Policy = rules(t, policy.TunnelCheck)
					if tt.names != nil {
						b.cfg.Resolver = tt.names
					}
				})
				c := b.client(func(cfg *tls.Config) { cfg.ServerName, cfg.InsecureSkipVerify = tt.sni, true })
				err := c.Handshake()
				c.Close()
				if s := b.session(); s.Outcome != tt.outcome || (err == nil) != (tt.outcome == Tunneling) {
					t.Errorf("%s (%s %v), client: %v", s.Outcome, s.Reason, s.Err, err)
				}
			})
		}
	}
}

// A session whose name the DNS leads to the origin says so, the first one and those
// that remember it; others do not.
func TestSessionResolves(t *testing.T) {
	for name, want := range map[string]bool{"www.example.test": true, "else.example.test": false, "x.example.test": false, "fail.example.test": false} {
		t.Run(name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, func(b *testbed) {
				names := directory{"www.example.test": {netip.MustParseAddr("127.0.0.1")}, "else.example.test": {netip.MustParseAddr("192.0.2.1")}}
				b.cfg.Policy, b.cfg.Resolver, b.cfg.Names, b.cfg.Tap = rules(t, policy.Tunnel), names, NamesFirst, nil
			})
			for range 2 {
				c := b.client(func(cfg *tls.Config) { cfg.ServerName, cfg.InsecureSkipVerify = name, true })
				if err := c.Handshake(); err != nil {
					t.Fatal(err)
				}
				c.Close()
				if got := b.session().Resolves(); got != want {
					t.Errorf("resolves: %v, want %v", got, want)
				}
			}
		})
	}
}
