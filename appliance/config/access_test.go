package config

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/policy"
)

func TestWhoIsServed(t *testing.T) {
	cfg, err := Parse("a.yaml", []byte(`
state: /s
intake:
  - name: proxy
    mode: explicit
    listen: ":8080"
    from: [10.0.0.0/8, "2001:db8::/32"]
    reach: [127.0.0.1, "fe80::/10"]
    connect_ports: [443, "8000-8999"]
mirror:
  - {name: live, kind: pcap-over-ip, listen: ":57012", readers: [recorder, "@wireshark", "1001"], from: 10.0.0.7}
`), "/d")
	if err != nil {
		t.Fatal(err)
	}
	in, m := cfg.Intakes[0], cfg.Mirrors[0]
	text := func(prefixes []netip.Prefix) (all []string) {
		for _, p := range prefixes {
			all = append(all, p.String())
		}
		return all
	}
	for name, row := range map[string]struct{ got, want any }{
		"from":           {text(in.Proxy.From), []string{"10.0.0.0/8", "2001:db8::/32"}},
		"reach":          {text(in.Proxy.Reach), []string{"127.0.0.1/32", "fe80::/10"}},
		"connect_ports":  {in.Proxy.Ports, []policy.PortRange{{First: 443, Last: 443}, {First: 8000, Last: 8999}}},
		"readers":        {m.Readers, []string{"recorder", "@wireshark", "1001"}},
		"from of mirror": {text(m.From), []string{"10.0.0.7/32"}},
	} {
		if diff := cmp.Diff(row.want, row.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhoIsServedFaults(t *testing.T) {
	const intake = "intake: [{name: i, mode: explicit, listen: ':1', %s}]\n"
	const mirror = "intake: [{name: i, mode: explicit, listen: ':1'}]\nmirror: [{name: m, kind: pcap-over-ip, listen: ':2', %s}]\n"
	for _, row := range []struct{ text, want string }{
		{strings.Replace(intake, "%s", "from: [lan0]", 1), "from: want an address or a network"},
		{strings.Replace(intake, "%s", "reach: []", 1), "reach: list is empty"},
		{strings.Replace(intake, "%s", "reach: localhost", 1), "reach: want an address or a network"},
		{strings.Replace(intake, "%s", "connect_ports: 0", 1), "connect_ports: want a port"},
		{strings.Replace(intake, "%s", "ports: 443", 1), "ports does not apply to mode explicit"},
		{"intake: [{name: i, mode: static, listen: ':1', origin: 'a.test:1', reach: 127.0.0.1, connect_ports: 443}]\n", "reach does not apply to mode static"},
		{strings.Replace(mirror, "%s", "readers: ['@']", 1), "readers: want a user"},
		{strings.Replace(mirror, "%s", "readers: ['a b']", 1), "readers: want a user"},
		{strings.Replace(mirror, "%s", "from: x", 1), "from: want an address or a network"},
		{"intake: [{name: i, mode: explicit, listen: ':1'}]\nmirror: [{name: m, kind: pcapng, readers: root}]\n", "readers does not apply to kind pcapng"},
	} {
		if _, err := Parse("a.yaml", []byte(row.text), "/d"); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want %q", row.text, err, row.want)
		}
	}
}
