package intake

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseAuthority(t *testing.T) {
	for _, c := range []struct {
		name, in string
		missing  uint16
		want     string // "" is an error
	}{
		{"name", "www.example.test:443", 0, "www.example.test:443"},
		{"case and final dot", "WWW.Example.Test.:443", 0, "www.example.test:443"},
		{"one label", "localhost:80", 0, "localhost:80"},
		{"underscore", "a_b.test:1", 0, "a_b.test:1"},
		{"punycode", "xn--bcher-kva.test:1", 0, "xn--bcher-kva.test:1"},
		{"IPv4", "192.0.2.1:443", 0, "192.0.2.1:443"},
		{"IPv6", "[2001:db8::1]:443", 0, "[2001:db8::1]:443"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:443", 0, "192.0.2.1:443"},
		{"default port", "a.test", 80, "a.test:80"},
		{"default port IPv6", "[::1]", 80, "[::1]:80"},
		{"port given", "a.test:81", 80, "a.test:81"},
		{"leading zeros", "a.test:00080", 0, "a.test:80"},

		{"empty", "", 80, ""},
		{"no port", "a.test", 0, ""},
		{"empty port", "a.test:", 80, ""},
		{"port 0", "a.test:0", 0, ""},
		{"port too large", "a.test:65536", 0, ""},
		{"signed port", "a.test:+80", 0, ""},
		{"service name", "a.test:http", 0, ""},
		{"six digits", "a.test:000080", 0, ""},
		{"bare IPv6", "2001:db8::1:443", 0, ""},
		{"zone", "[fe80::1%lan0]:443", 0, ""},
		{"bracketed name", "[a.test]:443", 0, ""},
		{"bracketed IPv4", "[192.0.2.1]:443", 0, ""},
		{"open bracket", "[::1:443", 0, ""},
		{"after bracket", "[::1]443", 80, ""},
		{"user", "me@a.test:80", 0, ""},
		{"path", "a.test:80/", 0, ""},
		{"space", "a test:80", 0, ""},
		{"NUL", "a\x00.test:80", 0, ""},
		{"not ASCII", "bücher.test:80", 0, ""},
		{"empty label", "a..test:80", 0, ""},
		{"two final dots", "a.test..:80", 0, ""},
		{"dot", ".:80", 0, ""},
		{"short IPv4", "127.1:80", 0, ""},
		{"number", "2130706433:80", 0, ""},
		{"hexadecimal", "0x7f000001:80", 0, ""},
		{"octal", "0177.0.0.1:80", 0, ""},
		{"long label", strings.Repeat("a", 64) + ".test:80", 0, ""},
		{"long name", strings.Repeat("a.", 126) + "test:80", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := parseAuthority(c.in, c.missing)
			if c.want == "" {
				if err == nil {
					t.Errorf("got %v, want an error", d)
				}
			} else if err != nil || d.String() != c.want {
				t.Errorf("got %v, %v, want %s", d, err, c.want)
			}
		})
	}
}

// checkDestination holds for whatever a parser accepts.
func checkDestination(t *testing.T, d destination) {
	t.Helper()
	if d.port == 0 || (d.name == "") == (d.addr == netip.Addr{}) {
		t.Fatalf("accepted %#v", d)
	}
	if d.name != "" {
		if _, err := netip.ParseAddr(d.name); err == nil || d.name != strings.ToLower(d.name) || strings.HasSuffix(d.name, ".") {
			t.Fatalf("accepted name %q", d.name)
		}
	}
	again, err := parseAuthority(d.String(), 0)
	if err != nil || again != d {
		t.Fatalf("%v becomes %v, %v", d, again, err)
	}
}

func FuzzParseAuthority(f *testing.F) {
	for _, s := range []string{"a.test:443", "[::1]:1", "192.0.2.1:65535", "[::ffff:1.2.3.4]", "0x1:1", "a.test.:1", "[fe80::1%1]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseAuthority(s, 80); err == nil {
			checkDestination(t, d)
		}
	})
}
