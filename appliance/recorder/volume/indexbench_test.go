package volume

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/flow"
)

// traffic fills a volume of 256 MiB with 10,500 sessions or so, of which some hundred are open
// at a time, of sizes that differ widely. It returns the frames' octets and sessions.
func traffic(w *Writer, f *Frame, rng *rand.Rand) {
	type open struct{ id, left int }
	var now []open
	at := time.Unix(1_800_000_000, 0)
	p := make([]byte, 1514)
	p[12], p[14], p[23], p[46] = 8, 0x45, 6, 0x50
	for id, octets := 0, 0; octets < 255<<20; {
		for len(now) < 400 {
			size := 2 + int(math.Exp(rng.NormFloat64()*1.6+1.6)) // packets; about 25 KB a session
			now = append(now, open{id, size})
			id++
		}
		i := rng.IntN(len(now))
		for range 1 + rng.IntN(6) { // packets come in trains
			s := &now[i]
			n, back := 1514, rng.IntN(3) == 0
			if back {
				n = 66
			}
			ends := [2]uint32{0x0a000000 | uint32(s.id*2654435761)>>18, 0xc0000000 | uint32(s.id*40503)&0xffff}
			port := [2]uint16{uint16(32768 + s.id*7919%28000), 443}
			from := 0
			if back {
				from = 1
			}
			binary.BigEndian.PutUint16(p[16:], uint16(n-14))
			binary.BigEndian.PutUint32(p[26:], ends[from])
			binary.BigEndian.PutUint32(p[30:], ends[1-from])
			binary.BigEndian.PutUint16(p[34:], port[from])
			binary.BigEndian.PutUint16(p[36:], port[1-from])
			at = at.Add(12 * time.Microsecond)
			*f = Frame{Octets: p[:n], At: at, Link: 1}
			w.Add(*f)
			octets += n + 34
			if s.left--; s.left == 0 {
				now[i] = now[len(now)-1]
				now = now[:len(now)-1]
				break
			}
		}
	}
}

// BenchmarkIndex measures the size of an index, and how much is read for a session.
func BenchmarkIndex(b *testing.B) {
	dir := b.TempDir()
	w := open(b, dir, Options{})
	var last Frame
	traffic(w, &last, rand.New(rand.NewPCG(1, 2)))
	w.Close()
	list, err := List(dir)
	if err != nil || len(list) != 1 {
		b.Fatalf("%+v, %v", list, err)
	}
	i, err := os.Stat(path(dir, 1) + indexName)
	if err != nil {
		b.Fatal(err)
	}
	var sessions []flow.Key
	if _, err := pick(dir, &list[0], func(s *Indexed) bool { sessions = append(sessions, s.Key); return false }); err != nil {
		b.Fatal(err)
	}
	octets, n := int64(0), 0
	for b.Loop() {
		want := sessions[n*7919%len(sessions)]
		r := NewReader(dir, nil, 0)
		r.Want(func(s *Indexed) bool { return s.Key == want })
		for {
			if _, _, err := r.Next(b.Context(), 0); err != nil {
				break
			}
		}
		r.Close()
		octets += r.Octets()
		n++
	}
	b.ReportMetric(float64(len(sessions)), "sessions")
	b.ReportMetric(100*float64(i.Size())/float64(list[0].Size), "%/volume")
	b.ReportMetric(float64(octets)/float64(n)/1024, "KiB/session")
}
