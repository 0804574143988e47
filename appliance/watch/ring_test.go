package watch

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/decrypt"
)

// randomRow returns the row of a session that ended. Some names are as long as they can be.
func randomRow(r *rand.Rand, n int) Row {
	word := func(prefix string, of int) string { return fmt.Sprint(prefix, r.IntN(of)) }
	name := func() string {
		switch r.IntN(10) {
		case 0:
			return ""
		case 1:
			return strings.Repeat("n", r.IntN(maxName+1))
		}
		return word("host", 50) + ".example.com"
	}
	row := Row{
		Session: fmt.Sprintf("%016x", uint64(n)*0x9e3779b97f4a7c15), State: Ended,
		Words: Words{
			Intake: word("i", 2), Transport: "tcp", Rule: word("rule", 20), Action: word("a", 4), Events: List(word("e", 3) + ",x"),
			Reason: word("r", 9), Service: List(word("av=", 3)),
		},
		Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(256))}), uint16(r.IntN(1<<16))),
		Host:   name(), ALPN: word("h", 3), User: word("u", 3),
		Start: began.Add(time.Duration(r.Int64N(1e15))), Duration: time.Duration(r.Int64N(1e12)),
		Sent: r.Uint64N(1 << 40), Received: r.Uint64N(1 << 40), Lost: r.Uint64N(100),
	}
	row.SNI = row.Host
	if r.IntN(3) == 0 {
		row.SNI = name()
	}
	if r.IntN(4) > 0 {
		row.Origin = netip.MustParseAddrPort("[2001:db8::1]:443")
	}
	return row
}

// TestRingIsList: a ring says what a list of the last rows says, whatever is added and
// asked; it may hold fewer rows only where names are long.
func TestRingIsList(t *testing.T) {
	queries := []*query.Query{
		nil, parse(t, "rule:rule1*"), parse(t, "client:10.0.0.0/25 octets>100GB"), parse(t, "host:*.example.com -sni:host1*"),
		parse(t, "event:e1 service:av=2 (user:u1 or alpn:h2)"), parse(t, "origin:2001:db8::/32 port:443"), parse(t, "duration<8m lost>50"),
		parse(t, "state:ended end>2026-11-03"), parse(t, "nnnnnnnn"), parse(t, `origin:0.0.0.0/0 or -port:443 user:""`),
	}
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		size := 1 + r.IntN(600)
		reg := New(size)
		var list []Row // the newest last
		for n := range 3 * size {
			row := randomRow(r, n)
			reg.ended.add(&row)
			list = append(list, row)
		}
		_, kept := reg.ended.total()
		if list = list[len(list)-kept:]; kept < size/4 {
			t.Fatalf("seed %d: %d rows of %d are kept", seed, kept, size)
		}
		for _, q := range queries {
			var want []Row
			for i := len(list) - 1; i >= 0; i-- {
				if q.Match(&list[i]) {
					want = append(want, list[i])
				}
			}
			var got []Row
			for at, limit := Cursor(""), 1+r.IntN(300); ; {
				page, next, err := reg.List(q, limit, at)
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, page...); next == "" {
					break
				}
				at = next
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
				t.Fatalf("seed %d, %s: %d rows, want %d (-want +got):\n%s", seed, q, len(got), len(want), diff)
			}
		}
		for i := range list {
			if got, ok := reg.Get(list[i].Session); !ok || got != list[i] {
				t.Fatalf("seed %d: row %d is %+v, want %+v", seed, i, got, list[i])
			}
		}
		if n := len(reg.ended.words.index); n > kept || n != len(reg.ended.words.values)-len(reg.ended.words.free) {
			t.Errorf("seed %d: %d words of %d rows", seed, n, kept)
		}
	}
}

// TestRowIsSmall: what DESIGN.md says of memory.
func TestRowIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(packed{}) + namesPerRow; size > 160 {
		t.Errorf("a row of the ring takes %d octets", size)
	}
	if size := unsafe.Sizeof(Live{}); size > 768 {
		t.Errorf("an open session takes %d octets", size)
	}
}

// TestTogether has sessions begin and end while operators ask.
func TestTogether(t *testing.T) {
	reg := New(500)
	var sessions, operators sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		operators.Go(func() {
			q := parse(t, "host:host1*.example.com or action:bump")
			sub, err := reg.Subscribe(q)
			if err != nil {
				t.Error(err)
				return
			}
			defer sub.Close()
			for at := Cursor(""); ; {
				select {
				case <-stop:
					return
				case <-sub.C:
				default:
				}
				rows, next, err := reg.List(q, 100, at)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range rows {
					if !q.Match(&rows[i]) && rows[i].State == Ended {
						t.Errorf("row %+v", rows[i])
					}
					reg.Get(rows[i].Session)
				}
				at = next
				reg.Counts()
			}
		})
	}
	const each = 1000
	for w := range 4 {
		sessions.Go(func() {
			for n := range each {
				s := session(w*each + n)
				o := reg.Begin(s)
				o.Reached(decrypt.StageHandshake)
				o.Reached(decrypt.StageRelay)
				if n%3 == 0 {
					reg.Kill(s.account.ID)
				}
				s.account.Miss(1)
				s.finish(reg, time.Duration(n))
			}
		})
	}
	sessions.Wait()
	close(stop)
	operators.Wait()
	if c := reg.Counts(); c.Open != 0 || c.Ended != 4*each || c.Began != 4*each || c.Kept != 500 {
		t.Errorf("counts %+v", c)
	}
}

// crowd returns a registry with open and ended sessions, and the octets that it takes.
func crowd(b *testing.B, open, ended int) (reg *Registry, perOpen, perEnded float64) {
	used := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	r := rand.New(rand.NewPCG(1, 1))
	before := used()
	reg = New(ended)
	for n := range ended {
		row := randomRow(r, n)
		if len(row.Host) > 40 {
			row.Host = ""
		}
		if len(row.SNI) > 40 {
			row.SNI = ""
		}
		reg.ended.add(&row)
	}
	middle := used()
	list := make([]*running, open)
	for n := range list {
		list[n] = session(n)
	}
	middle2 := used()
	for _, s := range list {
		o := reg.Begin(s)
		o.Reached(decrypt.StageRelay)
	}
	after := used()
	runtime.KeepAlive(list)
	return reg, (after - middle2) / float64(max(open, 1)), (middle - before) / float64(max(ended, 1))
}

// cpuTime is what the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkList lists 50,000 open and 100,000 ended sessions, and tells their memory.
func BenchmarkList(b *testing.B) {
	reg, perOpen, perEnded := crowd(b, 50_000, 100_000)
	for _, text := range []string{"", "client:10.0.0.0/16 host:*.example.com octets>1MB -action:tunnel (rule:x or reason:r)", "nothing"} {
		q, err := query.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("query=%q", text), func(b *testing.B) {
			b.ReportAllocs()
			begun := cpuTime()
			for b.Loop() {
				if _, _, err := reg.List(q, 100, ""); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuTime()-begun).Seconds()*1e3/float64(b.N), "cpu-ms/op")
			b.ReportMetric(perOpen, "octets/open")
			b.ReportMetric(perEnded, "octets/ended")
		})
	}
	b.Run("counts", func(b *testing.B) {
		begun := cpuTime()
		for b.Loop() {
			reg.Counts()
		}
		b.ReportMetric((cpuTime()-begun).Seconds()*1e3/float64(b.N), "cpu-ms/op")
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			reg.Get("0000000000000001")
		}
	})
}

// BenchmarkSession is what one session costs the registry in time.
func BenchmarkSession(b *testing.B) {
	reg, _, _ := crowd(b, 1000, 10_000)
	b.ReportAllocs()
	s := session(1 << 20)
	for b.Loop() {
		o := reg.Begin(s)
		for _, stage := range []string{decrypt.StagePeek, decrypt.StagePeek, decrypt.StageDecide, decrypt.StageHandshake, decrypt.StageRelay} {
			o.Reached(stage)
		}
		reg.Attach(s.account, nil)
		reg.End(s.account, "")
	}
}
