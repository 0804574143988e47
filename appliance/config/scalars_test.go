package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

func TestParseSize(t *testing.T) {
	for _, row := range []struct {
		text string
		want uint64
		ok   bool
	}{
		{"0", 0, true}, {"1500", 1500, true}, {"1KiB", 1 << 10, true}, {"3 MiB", 3 << 20, true}, {"1GiB", 1 << 30, true},
		{"8388607TiB", 8388607 << 40, true}, {"8388608TiB", 0, false},
		{"1GB", 0, false}, {"1.5GiB", 0, false}, {"-1", 0, false}, {"GiB", 0, false}, {"", 0, false},
		{"99999999999999999999", 0, false},
	} {
		got, err := parseSize(row.text)
		if got != row.want || (err == nil) != row.ok {
			t.Errorf("%q: %d, %v", row.text, got, err)
		}
	}
}

func TestPortRanges(t *testing.T) {
	for _, row := range []struct {
		text string
		want policy.PortRange
		ok   bool
	}{
		{"443", policy.PortRange{First: 443, Last: 443}, true}, {"1-65535", policy.PortRange{First: 1, Last: 65535}, true}, {"80 - 90", policy.PortRange{First: 80, Last: 90}, true},
		{"0", policy.PortRange{}, false}, {"65536", policy.PortRange{}, false}, {"9-8", policy.PortRange{}, false}, {"-1", policy.PortRange{}, false},
		{"1-", policy.PortRange{}, false}, {"1-2-3", policy.PortRange{}, false}, {"", policy.PortRange{}, false},
	} {
		got, err := parsePorts(row.text)
		if got != row.want || (err == nil) != row.ok {
			t.Errorf("%q: %v, %v", row.text, got, err)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.1.2.3": "10.1.2.3/32", "::1": "::1/128", "::ffff:10.0.0.1": "10.0.0.1/32",
		"0.0.0.0/0": "0.0.0.0/0", "10.0.0.1/8": "", "10.0.0.0/33": "", "fe80::1%eth0": "", "::ffff:10.0.0.0/104": "", "": "",
	} {
		got, err := parsePrefix(text)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestHostPatterns(t *testing.T) {
	for text, ok := range map[string]bool{
		"example.test": true, "*.example.test": true, "bücher.test": true, "_dmarc.x.test": true, "x.test.": true,
		"192.0.2.1": true, "2001:db8::1": true, "*": false, "*.": false, "a*.test": false, "*.*.test": false, "": false,
		"a..test": false, ".test": false, "a b.test": false, "a\x00.test": false, "https://a.test": false, "a.test:443": false,
		strings.Repeat("a", 64) + ".test": false, strings.Repeat("a.", 130) + "test": false,
	} {
		if _, err := parsePattern(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestListenersThatCollide(t *testing.T) {
	for _, row := range []struct {
		name, a, b string
		collide    bool
	}{
		{"equal", "127.0.0.1:80", "127.0.0.1:80", true},
		{"other port", "127.0.0.1:80", "127.0.0.1:81", false},
		{"other address", "127.0.0.1:80", "127.0.0.2:80", false},
		{"every address", ":80", "127.0.0.1:80", true},
		{"every IPv4 address", "127.0.0.1:80", "0.0.0.0:80", true},
		{"IPv4 and IPv6", "0.0.0.0:80", "[::1]:80", false},
		{"dual stack", "[::]:80", "127.0.0.1:80", true},
		{"mapped", "[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
		{"localhost", "localhost:80", "127.0.0.1:80", true},
		{"chosen by the kernel", "127.0.0.1:0", "127.0.0.1:0", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			text := fmt.Sprintf("intake: [{name: a, mode: explicit, listen: %q}, {name: b, mode: explicit, listen: %q}]", row.a, row.b)
			_, err := Parse("f", []byte(text), ".")
			if (err != nil) != row.collide {
				t.Errorf("error: %v", err)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	words := []string{"listen", "name", "mode", "origin", "key"}
	for text, want := range map[string]string{
		"listn": "listen", "litsen": "listen", "Listen": "listen", "nme": "name", "moed": "mode", "orig": "", "kye": "key",
		"zebra": "", "": "", "origins": "origin", strings.Repeat("x", 1000): "",
	} {
		if got := nearest(text, words); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestHostileNesting(t *testing.T) {
	for _, row := range []struct{ name, text string }{
		{"lists", strings.Repeat("[", 1<<16)},
		{"tables", strings.Repeat("{a: ", 1<<16)},
		{"dashes on a line", strings.Repeat("- ", 1<<16)},
		{"indentation", func() string {
			var b strings.Builder
			for i := range 3000 {
				b.WriteString(strings.Repeat(" ", i) + "a:\n")
			}
			return b.String()[:1<<20]
		}()},
		{"colons", "[" + strings.Repeat("a: ", 1<<16) + "]"},
		{"keys", strings.Repeat("a: ", 1<<16)},
		{"tags", strings.Repeat("!a\n", 1<<16)},
		{"too long", strings.Repeat("#", maxFile+1)},
	} {
		t.Run(row.name, func(t *testing.T) {
			start := time.Now()
			if _, err := Parse("f", []byte(row.text), "."); err == nil {
				t.Error("no error")
			}
			t.Log(time.Since(start))
		})
	}
}

// A fault in each of very many items must not yield as many errors.
func TestErrorsAreBounded(t *testing.T) {
	_, err := Parse("f", []byte("intake: ["+strings.Repeat("1,\n ", 5000)+"]"), ".")
	if errs, ok := err.(Errors); !ok || len(errs) != maxErrors {
		t.Errorf("%d errors, want %d", len(errs), maxErrors)
	}
}
