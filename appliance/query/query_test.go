package query

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// row is a [Row] of maps.
type row struct {
	texts     map[ID]string
	numbers   map[ID]int64
	addresses map[ID]netip.AddrPort
}

func (r row) Text(f ID) string            { return r.texts[f] }
func (r row) Number(f ID) int64           { return r.numbers[f] }
func (r row) Address(f ID) netip.AddrPort { return r.addresses[f] }

var now = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

var sample = row{
	texts: map[ID]string{
		Session: "00c0ffee00c0ffee", State: "ended", Host: "Shop.Example.com", SNI: "shop.example.com", Action: "bump",
		Outcome: "bumped", Protocol: "http", Rule: "default", Event: "no-sni,pinned", Service: "av=blocked,ips=passed",
		Reason: "client-reset",
	},
	numbers: map[ID]int64{
		ClientPort: 50000, Port: 443, Octets: 1_500_000, Sent: 500_000, Received: 1_000_000,
		Span: int64(90 * time.Second), Start: now.Add(-time.Hour).UnixNano(),
	},
	addresses: map[ID]netip.AddrPort{
		Client: netip.MustParseAddrPort("10.1.2.3:50000"),
		Origin: netip.MustParseAddrPort("[2001:db8::7]:443"),
	},
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		query string
		want  bool
	}{
		{"", true},
		{"client:10.1.0.0/16 host:*.example.com octets>1MB after:2026-11-01 -action:tunnel", true},
		{"client:10.1.0.0/16 (host:nothing or sni:shop.example.com)", true},
		{"client:10.2.0.0/16", false},
		{"client:10.1.2.3", true},
		{"client:10.1.2.3:50000", true},
		{"client:10.1.2.3:50001", false},
		{"client:::ffff:10.1.2.3", true},
		{"client:::ffff:10.1.0.0/112", true},
		{"origin:2001:db8::/32 origin=[2001:db8::7]:443", true},
		{"2001:db8::7", true},
		{"10.1.2.0/24", true},
		{"10.1.3.0/24", false},
		{"host:SHOP.example.COM", true},
		{"host:example.com", false},
		{"host:s*p.*.com", true},
		{"host:s*p.*.org", false},
		{"host:*", true},
		{"user:*", false},
		{`user:""`, true},
		{`host:"*.example.com"`, false},
		{"shop", true},
		{"client-res", true},
		{"c0ffee00", true},
		{"C0FFEE01", false},
		{"shop*", true},
		{"example*", false},
		{"*ample*", true},
		{"port:443", true},
		{"port:440-450", true},
		{"port:80,443", true},
		{"port!=443", false},
		{"port>=443 port<=443", true},
		{"port>443", false},
		{"port<443 or port<444", true},
		{"client_port:50000", true},
		{"octets:1.5MB", true},
		{"size>1464KiB", true},
		{"octets>1500000", false},
		{"octets>=1500000", true},
		{"sent<600k", true},
		{"duration>1m", true},
		{"age:1m30s", true},
		{"duration>1d", false},
		{"after:2h before:30m", true},
		{"after:30m", false},
		{"start:2026-11-03", true},
		{"start:today", true},
		{"start:yesterday", false},
		{"start:11:00", true},
		{"start:2026-11-03T11:00", true},
		{"start:2026-11-03T12:00+01:00", true},
		{"start<2026-11-03", false},
		{"end>2026-11-01", false}, // not known
		{"-end>2026-11-01", true},
		{"event:pinned", true},
		{"event:pin", false},
		{"event:pin*", true},
		{"service:av=blocked", true},
		{"service:av=passed", false},
		{"action:tunnel,bump", true},
		{"not action:bump", false},
		{"NOT (action:bump AND state:open)", true},
		{"action:tunnel or action:bump state:open", false},
		{"(action:tunnel or action:bump) state:ended", true},
		{"--action:bump", true},
		{`"not" or rule:default`, true},
		{"nothing", false},
	} {
		q, err := Sessions.parse(tt.query, now)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		if got := q.Match(sample); got != tt.want {
			t.Errorf("%s: matches = %v, want %v", tt.query, got, tt.want)
		}
	}
	if !(*Query)(nil).Match(sample) {
		t.Error("the nil query does not match")
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{"sni:a hots:b", `column 7: unknown field "hots": host?`},
		{"clinet:10.0.0.1", `column 1: unknown field "clinet": client?`},
		{"quux:1", `column 1: unknown field "quux"`},
		{"action:tunel", `column 8: action is never "tunel": tunnel?`},
		{"state:gone", `column 7: state is never "gone": open, ended?`},
		{"host>a", `column 6: host has no order, ask host:a`},
		{"after>1h", "column 1: after has the operator : only"},
		{"client:example.com", `column 8: client wants an address or a prefix, not "example.com"`},
		{"octets>1GX", `column 8: octets wants a size such as 1500, 64KiB or 1MB, not "1GX"`},
		{"port:70000", `column 6: port wants a port or a range such as 8000-8099, not "70000"`},
		{"duration>-1s", `column 10: duration wants a duration such as 90s, 1h30m or 2d, not "-1s"`},
		{"after:2026-13-01", `column 7: after wants a time such as 2026-11-01, 2026-11-01T12:30, 14:05 or 15m, not "2026-13-01"`},
		{"(a or b", "column 1: the group has no )"},
		{"a) b", "column 2: nothing is open here that ) could close"},
		{"a or", "column 5: a term is missing at the end"},
		{"or a", "column 1: a term is missing before or"},
		{"()", "column 2: a term is missing before )"},
		{"-", "column 2: a term is missing at the end"},
		{"host:", `column 6: a value is missing, write "" for the empty one`},
		{"port:1,,2", `column 8: a value is missing, write "" for the empty one`},
		{`見積 host:"a`, "column 9: the quote has no end"},
		{`host:"a"b`, "column 9: a blank is missing behind the value"},
		{"\xff", "column 1: the query is not UTF-8"},
		{strings.Repeat("(", maxDepth+1) + "a", "column 33: more than 32 groups or negations within each other"},
		{strings.Repeat("a ", maxTerms+1), "column 129: more than 64 terms"},
		{strings.Repeat("a", maxText+1), "column 1: the query has more than 4096 octets"},
	} {
		_, err := Sessions.parse(tt.query, now)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: error %v", tt.query, err)
			continue
		}
		if diff := cmp.Diff(tt.want, e.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.query, diff)
		}
	}
}

// TestFields: names are unique and looked up, and stand in the order of their numbers.
func TestFields(t *testing.T) {
	if len(Fields) != int(fields) {
		t.Errorf("%d fields in the table, %d numbers", len(Fields), fields)
	}
	seen := make(map[string]bool)
	for i := range Fields {
		f := &Fields[i]
		if f.ID != ID(i) {
			t.Errorf("%s stands at %d, its number is %d", f.Name, i, f.ID)
		}
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if seen[name] {
				t.Errorf("%s stands for two fields", name)
			}
			seen[name] = true
			if Sessions.Lookup(strings.ToUpper(name)) != f {
				t.Errorf("%s is not found", name)
			}
		}
		if f.About == "" || !strings.HasSuffix(f.About, ".") {
			t.Errorf("%s: description %q", f.Name, f.About)
		}
	}
}

// TestMatchAllocates: comparing a row costs no memory.
func TestMatchAllocates(t *testing.T) {
	q, err := Parse("client:10.1.0.0/16 host:*.example.com octets>1MB event:pinned -action:tunnel (shop or b)")
	if err != nil {
		t.Fatal(err)
	}
	lower := sample
	lower.texts = map[ID]string{Host: "shop.example.com", Event: "no-sni,pinned", Action: "bump"}
	var r Row = lower
	if n := testing.AllocsPerRun(100, func() { q.Match(r) }); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "a", "client:10.1.0.0/16 host:*.example.com octets>1MB after:2026-11-01 -action:tunnel (a or b)",
		`host:"a\"b",c -(not or and)`, "2001:db8::/32", "port:1-2,3", "after:1d2h", "size>=1.5GiB", "start:today",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Sessions.parse(text, now)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Column < 1 || e.Column > len(text)+1 {
				t.Errorf("error %#v", err)
			}
			return
		}
		if negated, err := Sessions.parse("-("+text+")", now); err == nil && q.root != nil && negated.Match(sample) == q.Match(sample) {
			t.Errorf("%q and its negation agree", text)
		}
	})
}
