package quic

import (
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/quicclient"
)

// BenchmarkPeek judges flows of one datagram, and of two.
func BenchmarkPeek(b *testing.B) {
	h := hello(b, "www.a.test")
	for name, datagrams := range map[string][][]byte{"one": quicclient.Datagrams(id, h, 1), "two": quicclient.Datagrams(id, h, 2)} {
		b.Run(name, func(b *testing.B) {
			p := NewPeek(Config{Judge: func(r *Result) Verdict { return Pass }})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 50000)
				for _, d := range datagrams {
					p.Datagram(from, origin, d)
				}
			}
		})
	}
}

// BenchmarkGarbage refuses datagrams that nobody can read.
func BenchmarkGarbage(b *testing.B) {
	d := quicclient.Datagrams(id, hello(b, "www.a.test"), 1)[0]
	d[len(d)-1] ^= 1
	now := time.Now()
	p := NewPeek(Config{Judge: func(r *Result) Verdict { return Refuse }, Now: func() time.Time { return now }})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.Datagram(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 50000), origin, d)
	}
}
