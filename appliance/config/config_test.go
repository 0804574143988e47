package config

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/appliance/service/inline"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/trail"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
	"github.com/clearspan/clearspan/mirror/port"
	"github.com/clearspan/clearspan/mirror/vxlan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var comparePlain = cmp.Options{
	cmpopts.IgnoreUnexported(pcapng.Config{}, wire.Config{}),
	cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, netip.AddrPort{}),
	cmp.Comparer(func(a, b *time.Location) bool { return a == b || a != nil && b != nil && a.String() == b.String() }),
}

// The golden files hold every error of a faulty file, in order.
func TestFaultyFiles(t *testing.T) {
	t.Setenv("HOME", "/home/operator")
	files, err := filepath.Glob("testdata/bad-*.yaml")
	if err != nil || len(files) < 9 {
		t.Fatalf("found %d faulty files, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			c, err := Load(file)
			if c != nil {
				t.Error("a faulty file gave a configuration")
			}
			if _, ok := errors.AsType[Errors](err); !ok {
				t.Fatalf("error is %T, want Errors: %v", err, err)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "absent.yaml"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error is %v, want one that matches fs.ErrNotExist", err)
	}
}

func TestFullFile(t *testing.T) {
	got, err := Load("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		State: "testdata/state",
		Drain: 30 * time.Second,
		Intakes: []Intake{
			{Name: "proxy", Mode: Explicit, Proxy: intake.Explicit{Listen: "127.0.0.1:8080"}},
			{Name: "fixed", Mode: Static, Static: intake.Static{Listen: "[::1]:10443", Origin: "origin.example.test:443", SNI: "www.example.test"}},
			{Name: "inbound", Mode: Static, Static: intake.Static{
				Listen: ":8443", Origin: "192.0.2.20:443", ProxyFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, ProxySend: intake.ProxyV2,
			}, Certificates: []KeyFiles{{"testdata/site.crt", "testdata/site.key"}, {"testdata/ca.crt", "testdata/ca.key"}}},
			{Name: "gateway", Mode: TProxy, TProxy: intake.TProxy{
				Listen: ":8099", From: []string{"lan0", "lan1.7"}, Ports: []policy.PortRange{{First: 443, Last: 443}, {First: 8000, Last: 8100}},
				Forwarded: intake.Forwarded{Down: intake.DownBlock, QUIC: intake.PassQUIC, Strays: intake.ResetStrays},
			}, Certificates: []KeyFiles{{"testdata/site.crt", "testdata/site.key"}}},
			{Name: "nat", Mode: Redirect, Redirect: intake.Redirect{
				Listen: ":8098", From: []string{"lan1"}, Ports: []policy.PortRange{{First: 443, Last: 443}},
				Forwarded: intake.Forwarded{Down: intake.DownPass, QUIC: intake.BlockQUIC, Strays: intake.PassStrays},
			}},
			{Name: "wire", Mode: Wire, Wire: wire.Config{
				Legs: [2]string{"lan2", "wan2"}, Ports: []policy.PortRange{{First: 443, Last: 443}, {First: 465, Last: 465}},
				Takeover: wire.Accept, Down: intake.DownBlock, DownUnsafe: true, Link: wire.Both, QUIC: intake.PassQUIC, Stall: 2 * time.Second, Open: true, Grace: time.Minute,
			}},
			{Name: "names", Mode: DNS, DNS: nameserver.Config{
				Listen: "127.0.0.1:53", Strip: []nameserver.Strip{nameserver.Keys, nameserver.HTTP3}, Timeout: time.Second, From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				Upstream: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("[2001:db8::53]:5353")},
			}},
		},
		Authority: Authority{
			Certificate: "testdata/ca.crt", Key: "testdata/ca.key",
			UntrustedCertificate: "testdata/untrusted.crt", UntrustedKey: "testdata/untrusted.key",
			PassphraseFile: "testdata/passphrase", Publish: "127.0.0.1:8091",
		},
		Leaf:   Leaf{LeafOptions: certs.LeafOptions{Lifetime: 12 * time.Hour, Cache: 500}, CRL: "http://127.0.0.1:8091"},
		Client: decrypt.ClientOptions{MinTLS: 0x0304, HandshakeTimeout: 5 * time.Second, SilenceTimeout: 20 * time.Second, IdleTimeout: 10 * time.Minute, FullHandshakes: true},
		Origin: Origin{
			Roots: []string{"system", "testdata/extra.pem"}, FetchIntermediates: true,
			Revocation: Revocation{
				RevocationConfig: certs.RevocationConfig{Mode: certs.RevocationHard, Timeout: 5 * time.Second, MaxCRL: 64 << 20},
				CRL:              []string{"testdata/extra.pem"},
				Allow:            []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("192.0.2.9/32")},
			},
			OriginOptions: decrypt.OriginOptions{MinTLS: 0x0304, ConnectTimeout: 3 * time.Second, FullHandshakes: true, ClientCertificate: decrypt.AnswerNone, Resolve: decrypt.ResolveSNI, OnInvalid: decrypt.OnInvalid{Default: decrypt.Block, ByReason: map[string]decrypt.Response{
				"expired": decrypt.PassOn, "revoked": decrypt.Untrusted, "weak-signature": decrypt.Block,
				"malformed": decrypt.Block, "own-authority": decrypt.Block, "tls-version": decrypt.Block,
			}}},
			ALPNOffer: []string{"http/1.1"},
		},
		Policy: Policy{Default: policy.Terminate, Mode: Monitor, Treatment: policy.Treatment{Services: []string{"av"}, Mirrors: &policy.Mirrors{Names: []string{"recorder", "live"}}},
			Learn: learn.Options{
				Pinned: learn.Tunnel, PinnedFor: 48 * time.Hour, After: 5, Within: 2 * time.Hour, Scope: learn.Host,
				ClientCertificate: learn.Alert, ClientCertificateFor: 3 * time.Hour, FailedOrigin: learn.Tunnel, FailedOriginFor: 5 * time.Minute,
				NarrowOffer: learn.Tunnel, NarrowOfferFor: 7 * time.Minute, Entries: 500, ClientEntries: 20,
			},
			Lists:  []List{{"finance", "testdata/finance.txt", HostList}, {"web-mail", "testdata/finance.txt", HostList}},
			Events: policy.EventActions{policy.NoSNI: policy.Bump, policy.ECH: policy.Terminate, policy.ECHRequired: policy.Tunnel}, NoLookup: true, Rules: []Rule{
				{Rule: policy.Rule{Name: "mail", Port: []policy.PortRange{{First: 465, Last: 465}}, Action: policy.Bump, Treatment: policy.Treatment{Services: []string{"ips", "av"}}}},
				{Rule: policy.Rule{Name: "bare", Port: []policy.PortRange{{First: 993, Last: 993}}, Action: policy.Bump, Treatment: policy.Treatment{Services: []string{}}}},
				{Rule: policy.Rule{Name: "banks", Host: []string{"*.bank.test", "bank.test", "bücher.test", "192.0.2.7"}, Action: policy.Tunnel, Treatment: policy.Treatment{Mirrors: &policy.Mirrors{}}}},
				{Rule: policy.Rule{Name: "clinic",
					Client:   []netip.Prefix{netip.MustParsePrefix("10.20.0.0/16"), netip.MustParsePrefix("2001:db8::1/128")},
					Origin:   []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
					Port:     []policy.PortRange{{First: 443, Last: 443}, {First: 8000, Last: 8100}},
					Protocol: []string{"tls"}, ALPN: []string{"h2", "http/1.1"}, Action: policy.TunnelCheck,
					Treatment: policy.Treatment{Mirrors: &policy.Mirrors{All: true}, Content: []string{"decrypted"}, ALPNOffer: []string{"h2", "http/1.1"}}}},
				{Category: []string{"finance", "web-mail"}, Rule: policy.Rule{Name: "hours", Intake: []string{"gateway"},
					JA4: []string{"t13d1516h2_8daaf6152771_e5627efa2ab1", "t13d1516h2_*_*"},
					Time: []policy.Period{
						{From: 22 * 60, To: 6 * 60, Days: 0b0111110, Zone: time.UTC}, {Days: 0b1000001},
						{From: 8 * 60, To: 12 * 60, Days: 0b0011101, Zone: berlin}, {From: 23 * 60, To: 24 * 60},
					},
					OriginName: []string{"*.bank.test", "192.0.2.7"}, Issuer: []string{"CN=Example CA,O=Example"}, Action: policy.Bump, Treatment: policy.Treatment{Learn: "tunnel"}}},
			}},
		Mirrors: []Mirror{
			{Name: "recorder", Kind: Interface, Interfaces: []string{"mirror0", "mirror1"}, Port: port.Config{Method: port.GSO, MTU: 9000, Full: mirror.Block, Patience: 30 * time.Second}, Ports: MapPorts,
				PortMap: map[uint16]uint16{443: 80, 465: 25}, STARTTLS: KeepSTARTTLS, HTTP2: KeepHTTP2,
				Mark: mirror.Mark{VLAN: 7, SourceMAC: [6]byte{0x0a, 0, 0, 0, 0, 1}, DSCP: 63}, Content: []string{"decrypted", "plain", "tunneled"}},
			{Name: "files", Kind: PCAPNG, Files: pcapng.Config{Directory: "testdata/state/captures",
				RotateSize: 64 << 20, RotateEvery: 10 * time.Minute, Keep: 3, Full: mirror.Drop, Buffer: 32 << 20}, Secrets: true, Ports: KeepPorts,
				STARTTLS: ConcealSTARTTLS, HTTP2: TranscodeHTTP2, Content: []string{"decrypted", "plain"}},
			{Name: "live", Kind: PCAPOverIP, Live: pcapip.Config{Addr: "127.0.0.1:57012", Slow: pcapip.Disconnect, Buffer: 16 << 20}, Ports: DefaultPorts,
				STARTTLS: ConcealSTARTTLS, HTTP2: KeepHTTP2, Content: []string{"decrypted"}},
			{Name: "far", Kind: VXLAN, Remote: vxlan.Config{Remote: netip.MustParseAddrPort("[2001:db8::1]:4790"), VNI: 1<<24 - 1, Source: netip.MustParseAddr("2001:db8::2"), MTU: 1400, Full: mirror.Block},
				Ports: DefaultPorts, STARTTLS: ConcealSTARTTLS, HTTP2: KeepHTTP2, Content: []string{"decrypted", "plain"}},
			{Name: "near", Kind: VXLAN, Remote: vxlan.Config{Remote: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 0), Full: mirror.Drop},
				Ports: DefaultPorts, STARTTLS: ConcealSTARTTLS, HTTP2: KeepHTTP2, Content: []string{"decrypted", "plain"}},
		},
		Block: Refusal{
			RefusalOptions: decrypt.RefusalOptions{Answer: decrypt.TellRefused, HTTPS: true},
			Options:        blockpage.Options{Page: "testdata/block.html", Contact: "helpdesk@example.com", Exceptions: true},
		},
		Audit: Audit{Options: audit.Options{File: "stdout", Rotate: trail.Options{Keep: 90, Compress: true}}, Facts: true, Content: facts.Options{Queries: true}},
		Services: []Service{
			{Name: "av", Kind: ICAP, ICAP: icap.Config{
				URLs: []string{"icap://127.0.0.1:1344/avscan"}, Timeout: 5 * time.Second, Replay: 64 << 10, Connections: 64, Queue: 1024,
				Tell: []icap.Fact{icap.ClientIP, icap.ClientPort, icap.ServerIP, icap.User},
			}, Web: adapt.Service{Requests: true, Responses: true, Streams: []string{"text/event-stream"}}, Roots: []string{"system"},
				Foreign: adapt.Known, Upgrade: adapt.Block, Whole: true},
			{Name: "dlp", Kind: ICAP, FailOpen: true, ICAP: icap.Config{
				URLs: []string{"icaps://dlp.test/x?y=z", "icap://[2001:db8::1]/x"}, Timeout: 30 * time.Second, MaxBody: 10 << 20, Oversize: true, Replay: 1 << 20,
				Preview: 4 << 10, Connections: 10, Queue: 1024, Tell: []icap.Fact{icap.ClientIP, icap.User}, PlainUser: true, PassPaused: true,
			}, Web: adapt.Service{Requests: true, MaxBody: 10 << 20, Streams: []string{"video/mp4"}, FailOpen: true}, Roots: []string{"testdata/extra.pem"},
				Foreign: adapt.Pass, Upgrade: adapt.Pass},
			{Name: "ips", Kind: Inline, FailOpen: true, Inline: inline.Config{
				Timeout: 2 * time.Second, FailOpen: true, Legs: [2]string{"chain0", "chain1"}, Port: 80, VLAN: 7, Probe: inline.Probe{Interval: -1},
			}},
			{Name: "fw", Kind: Inline, Inline: inline.Config{Timeout: 3 * time.Second, Legs: [2]string{"chain2", "chain3"}, Probe: inline.Probe{Interval: 2 * time.Second}, Hops: [2][]inline.Hop{
				{{Address: netip.MustParsePrefix("10.0.0.2/30"), Gateway: netip.MustParseAddr("10.0.0.1")}, {Address: netip.MustParsePrefix("2001:db8::2/64"), Gateway: netip.MustParseAddr("2001:db8::1")}},
				{{Address: netip.MustParsePrefix("10.0.1.2/30"), Gateway: netip.MustParseAddr("10.0.1.1")}, {Address: netip.MustParsePrefix("2001:db8:1::2/64"), Gateway: netip.MustParseAddr("2001:db8:1::1")}},
			}}},
		},
		Limits: Limits{Options: admission.Options{Memory: 512 << 20, Overload: admission.Tunnel}, Limits: intake.Limits{Sessions: 10}, Engine: decrypt.Limits{Pending: 200}},
	}
	if diff := cmp.Diff(want, got, comparePlain); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestMinimalFile(t *testing.T) {
	got, err := Load("testdata/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := defaults("/srv/clearspan")
	want.Intakes = []Intake{proxy("127.0.0.1:8080")}
	files := DefaultMirror("files", PCAPNG)
	files.Files.Directory = "/srv/clearspan/pcap"
	want.Mirrors = []Mirror{files}
	if diff := cmp.Diff(want, got, comparePlain); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if got.Audit.File != "/srv/clearspan/sessions.jsonl" {
		t.Errorf("audit file is %s", got.Audit.File)
	}
	if got.AuthorityDir() != "/srv/clearspan/authority" {
		t.Errorf("authority is in %s", got.AuthorityDir())
	}
}

// The example shows defaults where it can: what it sets must match them.
func TestExampleFile(t *testing.T) {
	c, err := Load("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := defaults("/var/lib/clearspan")
	rotation := func(m Mirror) []any { return []any{m.Files.RotateSize, m.Files.RotateEvery, m.Files.Keep} }
	for _, row := range []struct {
		name      string
		want, got any
	}{
		{"leaf", d.Leaf, c.Leaf}, {"client", d.Client, c.Client}, {"origin", d.Origin, c.Origin},
		{"block", d.Block, c.Block}, {"audit", d.Audit, c.Audit}, {"admin", d.Admin, c.Admin}, {"limits", d.Limits, c.Limits},
		{"rotate", rotation(DefaultMirror("", PCAPNG)), rotation(c.Mirrors[1])},
	} {
		if diff := cmp.Diff(row.want, row.got); diff != "" {
			t.Errorf("%s (-default +example):\n%s", row.name, diff)
		}
	}
	if len(c.Intakes) != 3 || len(c.Policy.Rules) != 7 || len(c.Mirrors) != 4 {
		t.Errorf("%d intakes, %d rules, %d mirrors", len(c.Intakes), len(c.Policy.Rules), len(c.Mirrors))
	}
}

func TestDefault(t *testing.T) {
	for _, row := range []struct {
		name, home, given, state string
		euid                     int
	}{
		{"root", "/root", "", "/var/lib/clearspan", 0},
		{"user", "/home/u", "", "/home/u/.local/state/clearspan", 1000},
		{"user without home", "", "", "/var/lib/clearspan", 1000},
		{"service of a user", "/nonexistent", "/var/lib/given:/var/lib/more", "/var/lib/given", 1000},
		{"service of root", "/root", "/var/lib/given", "/var/lib/given", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := Default(row.euid, func(key string) string {
				return map[string]string{"HOME": row.home, "STATE_DIRECTORY": row.given}[key]
			})
			if c.State != row.state {
				t.Errorf("state is %s, want %s", c.State, row.state)
			}
			if c.Intakes[0].Listen() != "127.0.0.1:8080" || c.Admin.Listen != "127.0.0.1:8090" ||
				c.Mirrors[0].Files.Directory != row.state+"/pcap" || c.Mirrors[1].Live.Addr != "127.0.0.1:57012" {
				t.Errorf("unexpected default %+v", c)
			}
		})
	}
}

func TestOnInvalidAction(t *testing.T) {
	o := defaults("/srv/clearspan").Origin.OnInvalid
	for reason, want := range map[string]decrypt.Response{
		"expired": decrypt.Untrusted, "tls-version": decrypt.Block, "own-authority": decrypt.Block, "unheard-of": decrypt.Untrusted,
	} {
		if got := o.Action(reason); got != want {
			t.Errorf("%s: %s, want %s", reason, got, want)
		}
	}
}

// What passes unjudged is named, by the key that opens the door.
func TestOpenDoors(t *testing.T) {
	const wire = "intake: [{name: wire, mode: wire, legs: [a, b], takeover: accept%s}]\n"
	const routed = "intake: [{name: gw, mode: tproxy, listen: :8099, from: [lan0], ports: 443%s}]\n"
	const proxy = "intake: [{name: proxy, mode: explicit, listen: :8080%s}]\n"
	const none = "origin: {client_certificate: block}\n"
	for _, tt := range []struct {
		name, text string
		want       []string // beginnings
	}{
		{"a wire's defaults", "intake: [{name: wire, mode: wire, legs: [a, b]}]\n", []string{
			"intake wire: down: wire:", "intake wire: grace:", "intake wire: takeover: late:", "intake wire: quic: block:", "policy.learn.client_certificate.action: tunnel:"}},
		{"a wire that blocks", fmt.Sprintf(wire, ", down: block") + none, []string{"intake wire: grace:", "intake wire: quic: block:"}},
		{"a wire that is not strict", fmt.Sprintf(wire, ", down: block, strict: false, quic: pass, ports: 443") + none,
			[]string{"intake wire: strict: false:", "intake wire: grace:", "intake wire: ports:", "intake wire: quic: pass:"}},
		{"overload", fmt.Sprintf(proxy, "") + none + "limits: {overload: tunnel}\n", []string{"limits.overload: tunnel:"}},
		{"routed traffic's defaults", fmt.Sprintf(routed, "") + none,
			[]string{"intake gw: ports:", "intake gw: quic: block:", "intake gw: down: pass:", "intake gw: strays: pass:"}},
		{"routed traffic that is blocked", fmt.Sprintf(routed, ", down: block, strays: reset") + none, []string{"intake gw: ports:", "intake gw: quic: block:"}},
		{"routed QUIC", fmt.Sprintf(routed, ", down: block, strays: reset, quic: pass") + none, []string{"intake gw: ports:", "intake gw: quic: pass:"}},
		{"a proxy's defaults", fmt.Sprintf(proxy, "") + none, nil},
		{"a proxy for everybody", fmt.Sprintf(proxy, `, from: ["0.0.0.0/0"], reach: [127.0.0.1]`) + none,
			[]string{"intake proxy: reach:", "intake proxy: from:"}},
		{"rules", fmt.Sprintf(proxy, "") + none + "policy: {default: tunnel, rules: [{name: a, port: 1, action: tunnel}, {name: b, port: 2, learn: tunnel, action: bump}, {name: c, port: 3, action: tunnel}]}\n",
			[]string{"policy.default: tunnel:", "rule a and 1 more: action: tunnel:", "rule b: learn: tunnel:"}},
		{"events and lessons", fmt.Sprintf(proxy, "") + none + "policy: {events: {no-sni: tunnel, ech: terminate}, learn: {pinned: {action: tunnel}, failed_origin: {action: tunnel}}}\n",
			[]string{"policy.events.no-sni: tunnel:", "policy.learn.pinned.action: tunnel:", "policy.learn.failed_origin.action: tunnel:"}},
		{"unproven tunnels", fmt.Sprintf(proxy, "") + none + "policy: {events: {tunnel-unproven: tunnel}}\n", []string{"policy.events.tunnel-unproven: tunnel:"}},
		{"client certificates", fmt.Sprintf(proxy, "") + "origin: {client_certificate: tunnel}\n", []string{"origin.client_certificate: tunnel:"}},
		{"hosts with client certificates", fmt.Sprintf(proxy, "") + "origin: {client_certificate_hosts: a.test}\npolicy: {learn: {client_certificate: {action: alert}}}\n",
			[]string{"origin.client_certificate_hosts:"}},
		{"monitor", fmt.Sprintf(proxy, "") + none + "policy: {mode: monitor}\n", []string{"policy.mode: monitor:"}},
		{"invalid origins", fmt.Sprintf(proxy, "") + "origin: {client_certificate: block, on_invalid: {default: tunnel, expired: tunnel}}\n",
			[]string{"origin.on_invalid: default: tunnel:", "origin.on_invalid: expired: tunnel:"}},
		{"a service", fmt.Sprintf(proxy, "") + none + `services: [{name: av, kind: icap, url: "icap://127.0.0.1/a", on_failure: open, max_body: 1MiB, mode: respmod}]
policy: {services: av, rules: [{name: a, port: 1, action: bump, services: none}]}` + "\n",
			[]string{"service av: on_failure: open:", "service av: max_body:", "service av: foreign: pass:", "service av: upgrade: pass:", "service av: ranges: pass:", "service av: paused: pass:", "service av: streams:", "service av: mode:", "rule a: services: none:"}},
		{"a service that fails closed", fmt.Sprintf(proxy, "") + none + `services: [{name: av, kind: icap, url: "icap://127.0.0.1/a"}]` + "\n",
			[]string{"service av: foreign: known:", "service av: streams:"}},
		{"a service without doors", fmt.Sprintf(proxy, "") + none + `services: [{name: av, kind: icap, url: "icap://127.0.0.1/a", foreign: block, upgrade: scan, streams: []}]` + "\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("c.yaml", []byte("state: s\n"+tt.text), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			doors := c.OpenDoors()
			if len(doors) != len(tt.want) {
				t.Fatalf("open doors %q, want %q", doors, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(doors[i], want) {
					t.Errorf("open door %q, want %q", doors[i], want)
				}
			}
		})
	}
}
