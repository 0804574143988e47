package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// scan decides as the documentation says, rule by rule, without the index.
func scan(t *rapid.T, rules []Rule, def Action, f *Facts) Decision {
	pending := map[Action]bool{}
	d := Decision{Rule: Default, Action: def}
	for i := range rules {
		r := &rules[i]
		if !hostMet(t, r, f.SNI) && !hostMet(t, r, f.Host) && len(r.Host)+len(r.Category) > 0 ||
			len(r.Intake) > 0 && !slices.Contains(r.Intake, f.Intake) ||
			len(r.Port) > 0 && !slices.ContainsFunc(r.Port, func(p PortRange) bool { return p.First <= f.Origin.Port() && f.Origin.Port() <= p.Last }) ||
			len(r.Client) > 0 && !slices.ContainsFunc(r.Client, func(p netip.Prefix) bool { return p.Contains(f.Client.Addr().Unmap()) }) ||
			len(r.Origin) > 0 && !slices.ContainsFunc(r.Origin, func(p netip.Prefix) bool { return p.Contains(f.Origin.Addr().Unmap()) }) {
			continue
		}
		if len(r.Issuer) > 0 {
			if f.Certificate == nil {
				pending[r.Action] = true
				continue
			}
			if !slices.Equal(r.Issuer, f.Certificate.Issuers) || !f.Certificate.Trusted && r.Action != Terminate {
				continue
			}
		}
		d = Decision{Rule: r.Name, Action: r.Action}
		break
	}
	for a := range pending {
		d.Pending = d.Pending || a != Terminate || d.Action != Terminate
	}
	return d
}

// hostMet compares name with every pattern and every name of the rule's lists.
func hostMet(t *rapid.T, r *Rule, name string) bool {
	if name == "" {
		return false
	}
	for _, p := range r.Host {
		if base, wild := strings.CutPrefix(p, "*."); wild && strings.HasSuffix(name, "."+base) || !wild && name == p {
			return true
		}
	}
	for _, l := range r.Category {
		for entry := range strings.SplitSeq(l.name, " ") { // the generator's lists are called what they hold
			if name == entry || strings.HasSuffix(name, "."+entry) {
				return true
			}
		}
	}
	return false
}

// The index changes nothing but the cost, whatever the rules and the facts are.
func TestIndexDecidesAsScan(t *testing.T) {
	names := []string{"test", "a.test", "b.test", "a.a.test", "b.a.test", "x.b.a.test", "a", "xa.test", "a.testx"}
	addrs := []string{"10.0.0.1", "10.0.1.1", "10.1.0.1", "2001:db8::1", "2001:db8:1::1", "::ffff:0:1"}
	bits := []int{0, 8, 16, 24, 32}
	lists := make([]*List, 3)
	for i, entries := range [][]string{{"a.test"}, {"b.a.test", "a"}, {"test"}} {
		list, err := ReadList(strings.Join(entries, " "), "", strings.NewReader(strings.Join(entries, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		lists[i] = list
	}
	some := func(t *rapid.T, label string, values []string) []string {
		if rapid.IntRange(0, 2).Draw(t, label+"?") > 0 {
			return nil
		}
		return rapid.SliceOfN(rapid.SampledFrom(values), 1, 3).Draw(t, label)
	}
	prefixes := func(t *rapid.T, label string) (out []netip.Prefix) {
		for _, s := range some(t, label, addrs) {
			out = append(out, netip.PrefixFrom(netip.MustParseAddr(s), rapid.SampledFrom(bits).Draw(t, "bits")).Masked())
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		rules := make([]Rule, rapid.IntRange(0, 12).Draw(t, "rules"))
		for i := range rules {
			rules[i] = Rule{
				Name: fmt.Sprint("r", i), Action: Action(rapid.IntRange(0, 3).Draw(t, "action")),
				Intake: some(t, "intake", []string{"in", "out"}), Client: prefixes(t, "client"), Origin: prefixes(t, "origin"),
				Issuer: some(t, "issuer", []string{"ca"}),
			}
			if len(rules[i].Issuer) > 1 {
				rules[i].Issuer = rules[i].Issuer[:1]
			}
			for _, h := range some(t, "host", names) {
				rules[i].Host = append(rules[i].Host, rapid.SampledFrom([]string{"", "*."}).Draw(t, "star")+h)
			}
			if rapid.IntRange(0, 4).Draw(t, "category?") == 0 {
				rules[i].Category = []*List{rapid.SampledFrom(lists).Draw(t, "category")}
			}
			if rapid.IntRange(0, 4).Draw(t, "port?") == 0 {
				rules[i].Port = []PortRange{{1, 80}}
			}
		}
		def := Action(rapid.IntRange(0, 3).Draw(t, "default"))
		table, err := New(rules, def)
		if err != nil {
			t.Fatal(err)
		}
		maybe := append(names, "", "")
		f := &Facts{
			SNI: rapid.SampledFrom(maybe).Draw(t, "sni"), Host: rapid.SampledFrom(maybe).Draw(t, "host"), TLS: true,
			Intake: rapid.SampledFrom([]string{"in", "out", "else"}).Draw(t, "in"),
			Client: netip.AddrPortFrom(netip.MustParseAddr(rapid.SampledFrom(addrs).Draw(t, "from")), 1),
			Origin: netip.AddrPortFrom(netip.MustParseAddr(rapid.SampledFrom(addrs).Draw(t, "to")), rapid.SampledFrom([]uint16{80, 443}).Draw(t, "port")),
		}
		if rapid.Bool().Draw(t, "asked") {
			f.Certificate = &Certificate{Trusted: rapid.Bool().Draw(t, "trusted"), Issuers: rapid.SampledFrom([][]string{{"ca"}, {"other"}, nil}).Draw(t, "signed by")}
		}
		got, want := table.Decide(f), scan(t, rules, def, f)
		got.Claim = NoClaim // see TestClaim
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		steps := table.Explain(f)
		if last := steps[len(steps)-1]; last.Rule != want.Rule || last.Action != want.Action {
			t.Fatalf("Explain ends with %v, want %+v", last, want)
		}
	})
}

// manyRules is a table with a rule for each of n names, or addresses.
func manyRules(t testing.TB, n int) *Table {
	rules := make([]Rule, n)
	for i := range rules {
		rules[i] = Rule{Name: fmt.Sprint("r", i), Host: []string{fmt.Sprintf("n%d.bank.test", i), fmt.Sprintf("*.n%d.bank.test", i)}, Action: Tunnel}
	}
	table, err := New(rules, Bump)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func manyClients(t testing.TB, n int) *Table {
	rules := make([]Rule, n)
	for i := range rules {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		rules[i] = Rule{Name: fmt.Sprint("r", i), Client: []netip.Prefix{netip.PrefixFrom(a, 32)}, Action: Tunnel}
	}
	table, err := New(rules, Bump)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// manyEntries is a list of n names.
func manyEntries(t testing.TB, n int) *List {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "n%d.shop%d.test\n", i, i%1000)
	}
	list, err := ReadList("many", "many.txt", strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func BenchmarkRules(b *testing.B) {
	for _, n := range []int{1, 100, 10_000, 100_000} {
		f := Facts{
			SNI: fmt.Sprintf("www.n%d.bank.test", n-1), Host: "www.other.example", TLS: true, Time: time.Now(),
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte((n - 1) >> 16), byte((n - 1) >> 8), byte(n - 1)}), 5),
			Origin: netip.MustParseAddrPort("192.0.2.1:443"),
		}
		for _, of := range []struct {
			name  string
			table *Table
		}{{"names", manyRules(b, n)}, {"clients", manyClients(b, n)}} {
			b.Run(fmt.Sprintf("%d of %s", n, of.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if of.table.Decide(&f).Action != Tunnel {
						b.Fatal("no match")
					}
				}
			})
		}
	}
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		list := manyEntries(b, n)
		for _, name := range []string{"www.n7.shop7.test", "www.somewhere.example.test"} {
			b.Run(fmt.Sprintf("%d entries, found %t", n, list.Has(name)), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					list.Has(name)
				}
				b.ReportMetric(float64(list.Octets())/float64(n), "octets/entry")
			})
		}
	}
}

// Decisions of large tables allocate nothing, and do not look at every rule.
func TestManyRules(t *testing.T) {
	const n = 30_000 // the benchmark has more
	table := manyRules(t, n)
	f := Facts{SNI: "a.n29999.bank.test", Host: "somewhere.example", TLS: true, Time: time.Now(), Client: netip.MustParseAddrPort("192.0.2.1:1")}
	if got := table.Decide(&f); got.Rule != "r29999" {
		t.Errorf("got %+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { table.Decide(&f) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var s subject
	s.set(&f, true)
	compared := 0
	table.index.search(&s, func(rules []uint32) { compared += len(rules) })
	if compared != 1 {
		t.Errorf("%d rules compared", compared)
	}
	clients := manyClients(t, n)
	f.Client = netip.MustParseAddrPort("10.0.117.47:1")
	if got := clients.Decide(&f); got.Rule != "r29999" {
		t.Errorf("got %+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { clients.Decide(&f) }); n != 0 {
		t.Errorf("by client: %v allocations", n)
	}
}
