package policy

import (
	"fmt"
	"strings"
	"testing"
)

// manyNames is a table with a rule of n names.
func manyNames(t testing.TB, n int) *Table {
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("*.n%d.bank.test", i)
	}
	table, err := New([]Rule{{Name: "banks", Host: hosts, Action: Tunnel}}, Bump)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		table := manyNames(b, n)
		b.Run(fmt.Sprintf("%d names", n), func(b *testing.B) {
			b.ReportAllocs()
			facts := Facts{SNI: "a.b.c.n7.bank.test"}
			for b.Loop() {
				if table.Decide(&facts).Action != Tunnel {
					b.Fatal("no match")
				}
			}
		})
	}
}

// Whatever the names are, a name meets the exact pattern that is made of it, its
// subdomain the one with a star, and normalizing twice changes nothing.
func FuzzName(f *testing.F) {
	for _, s := range []string{
		"www.example.test", "A.TEST.", "bücher.test", "www。test", "192.0.2.1", "[2001:db8::1]", "fe80::1%eth0", "1.2.3", "::", "192.0.2.1.", "a.0x7f", "192。0。2。1", "1.192.0.2.7",
		"a..b", ".", "", "*", "a\x00b", "xn--bcher-kva.test", "xn--a", strings.Repeat("a.", 126) + "b", strings.Repeat("a", 64), "\u200d.test", "ß.test",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var n hostName
		if !n.set(s) {
			if len(n.bytes()) != 0 {
				t.Fatalf("%q is no name, and is %q", s, n.bytes())
			}
			return
		}
		normal := string(n.bytes())
		if normal == "" || len(normal) > maxName || normal != strings.ToLower(normal) || strings.HasSuffix(normal, ".") {
			t.Fatalf("%q becomes %q", s, normal)
		}
		var again hostName
		if !again.set(normal) || string(again.bytes()) != normal {
			t.Fatalf("%q becomes %q, then %q", s, normal, again.bytes())
		}
		exact, err := New([]Rule{{Host: []string{s}}}, Terminate)
		if err != nil {
			return // what no pattern may be
		}
		if got := exact.Decide(&Facts{Host: normal}); got.Action != Bump {
			t.Fatalf("%q does not meet itself, %q", s, normal)
		}
		below, err := New([]Rule{{Host: []string{"*." + s}}}, Terminate)
		if err != nil || len(normal)+2 > maxName {
			return
		}
		if got := below.Decide(&Facts{SNI: "a." + normal}); got.Action != Bump {
			t.Fatalf("a.%s is not below %q", normal, s)
		}
		if got := below.Decide(&Facts{SNI: normal}); got.Action != Terminate {
			t.Fatalf("%s is below itself", normal)
		}
	})
}
