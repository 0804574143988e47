package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

func list(t *testing.T, text string) *List {
	t.Helper()
	l, err := ReadList("finance", "finance.txt", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestList(t *testing.T) {
	l := list(t, "\ufeff# banks\r\nBank.test.\n\n  shop.example  # a comment\nbücher.test\nbank.test\n192.0.2.7\n2001:DB8::0:1\n_srv.under.test")
	if l.Len() != 6 || l.Name() != "finance" {
		t.Errorf("%d names, called %s", l.Len(), l.Name())
	}
	for host, want := range map[string]bool{
		"bank.test": true, "BANK.TEST.": true, "www.bank.test": true, "a.b.c.bank.test": true, "xbank.test": false, "test": false,
		"shop.example": true, "example": false, "www.xn--bcher-kva.test": true, "bÜcher.test": true,
		"192.0.2.7": true, "1.192.0.2.7": false, "192.0.2.8": false, "[2001:db8::1]": true, "x._srv.under.test": true,
		"": false, ".": false, "bank.test\x00": false, strings.Repeat("a.", 130) + "bank.test": false,
	} {
		if got := l.Has(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
	}
	if empty := list(t, "# nothing\n"); empty.Has("bank.test") || empty.Len() != 0 {
		t.Error("an empty list has names")
	}
}

func TestListErrors(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"no name", "a.test\n\nb test\n", `finance.txt:3:1: "b test" is not a name or address`},
		{"star", "*.a.test", `finance.txt:1:1: "*.a.test": a name covers all names below it`},
		{"URL", "https://a.test/", "finance.txt:1:1: "},
		{"prefix", "10.0.0.0/8", "finance.txt:1:1: "},
		{"broken address", "192.0.2.300", "finance.txt:1:1: "},
		{"long name", strings.Repeat("a.", 127) + "b", "finance.txt:1:1: "},
		{"NUL", "ok.test\na\x00.test", `finance.txt:2:1: "a\x00.test"`},
		{"long line", "a.test\n" + strings.Repeat("x", maxListLine+1), "finance.txt:2:1: line is longer than"},
		{"indented", "\tü ü # x", `finance.txt:1:2: "ü ü" is not a name`},
		{"several", "x y\nfine.test\nz z", `finance.txt:3:1: "z z"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := ReadList("finance", "finance.txt", strings.NewReader(row.text))
			if err == nil || l != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, %v, want %q", l, err, row.want)
			}
		})
	}
	if _, err := ReadList("finance", "finance.txt", iotest.ErrReader(errors.New("gone"))); err == nil || !strings.Contains(err.Error(), "read list finance: gone") {
		t.Errorf("got %v", err)
	}
	_, err := ReadList("finance", "finance.txt", strings.NewReader(strings.Repeat("x y\n", 1000)))
	if n := strings.Count(err.Error(), "\n"); n != maxListErrors-1 {
		t.Errorf("%d lines of errors", n+1)
	}
}

// Many names: memory stays compact, look-ups allocate nothing. The benchmark has a
// million, which take the race detector half a minute.
func TestLargeList(t *testing.T) {
	const n = 150_000
	l := manyEntries(t, n)
	if l.Len() != n {
		t.Fatalf("%d names", l.Len())
	}
	for i := 0; i < n; i += 997 {
		if !l.Has(fmt.Sprintf("x.n%d.shop%d.test", i, i%1000)) || l.Has(fmt.Sprintf("n%d.shop%d.tes", i, i%1000)) {
			t.Fatalf("name %d", i)
		}
	}
	if l.Octets() > 40*n {
		t.Errorf("%d octets", l.Octets())
	}
	t.Logf("%d names of %d octets take %d octets", n, len(l.names.blob)/n-1, l.Octets())
	table, err := New([]Rule{{Name: "r", Category: []*List{l}, Action: Tunnel}}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	f := Facts{SNI: "www.n12.shop12.TEST", Host: "elsewhere.example.test"}
	if got := table.Decide(&f); got.Rule != "r" {
		t.Errorf("got %+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { table.Decide(&f) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever a file holds, a list has exactly the names that its lines give.
func FuzzList(f *testing.F) {
	for _, s := range []string{
		"a.test\n# c\nb.test # d\n", "\xef\xbb\xbfa.test\r\n", "*.a.test", "bücher.test\n192.0.2.1\n[::1]", "a\x00b", "a..b", "\n\n\n", strings.Repeat("a", 64),
	} {
		f.Add(s, "www.a.test")
	}
	f.Fuzz(func(t *testing.T, text, host string) {
		l, err := ReadList("l", "l.txt", strings.NewReader(text))
		if err != nil {
			if !strings.Contains(err.Error(), "l.txt:") {
				t.Fatalf("no line in %v", err)
			}
			return
		}
		got := l.Has(host)
		var n hostName
		want := false
		if n.set(host) {
			normal := string(n.bytes())
			for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
				line, _, _ = strings.Cut(line, "#")
				var entry hostName
				if entry.set(strings.TrimSpace(line)) {
					e := string(entry.bytes())
					want = want || normal == e || !n.address && strings.HasSuffix(normal, "."+e)
				}
			}
		}
		if got != want {
			t.Fatalf("%q in %q: %t, want %t", host, text, got, want)
		}
	})
}
