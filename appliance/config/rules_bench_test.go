package config

import (
	"fmt"
	"strings"
	"testing"
)

// manyRules returns a file of n rules, each of about 95 octets.
func manyRules(n int) []byte {
	var b strings.Builder
	b.WriteString("intake:\n  - {name: proxy, mode: explicit, listen: 127.0.0.1:8080}\npolicy:\n  default: bump\n  rules:\n")
	for i := range n {
		fmt.Fprintf(&b, "    - {name: rule-%d, host: [\"*.a%d.example.test\", b%d.example.test], action: tunnel}\n", i, i, i)
	}
	return []byte(b.String())
}

// What a file of many rules costs to read. For CPU time and memory of a process, check
// such a file under time -v.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			data := manyRules(n)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				c, err := Parse("rules.yaml", data, ".")
				if err != nil || len(c.Policy.Rules) != n {
					b.Fatalf("%v", err)
				}
			}
		})
	}
}
