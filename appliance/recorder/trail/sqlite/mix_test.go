package sqlite

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
)

// BenchmarkMix tells what an event of an office costs: octets on disk, with all indexes, and
// time.
func BenchmarkMix(b *testing.B) {
	const n, batch = 100_000, 10_000
	m := trailtest.Mix{Begin: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), Events: n, Days: 1}
	for b.Loop() {
		dir := b.TempDir()
		s, err := Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		busy := time.Duration(0)
		for from := 0; from < n; from += batch {
			part := m.Batch(from, batch)
			begin := time.Now()
			if err := s.Write(b.Context(), part); err != nil {
				b.Fatal(err)
			}
			busy += time.Since(begin)
		}
		begin := time.Now()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n)/busy.Seconds(), "events/s")
		b.ReportMetric(time.Since(begin).Seconds(), "s/close")
		total := int64(0)
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, f := range files {
			i, err := os.Stat(f)
			if err != nil {
				b.Fatal(err)
			}
			total += i.Size()
		}
		b.ReportMetric(float64(total)/n, "octets/event")
		if os.Getenv("SIZES") != "" {
			sizes(b, dir, n)
		}
	}
}

// sizes tells which tables and indexes have how many octets an event.
func sizes(b *testing.B, dir string, n int) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.db"))
	for _, f := range files {
		db, err := sql.Open("sqlite", f)
		if err != nil {
			b.Fatal(err)
		}
		rows, err := db.Query("select name, sum(pgsize) from dbstat group by name order by 2 desc")
		if err != nil {
			b.Log(err)
			return
		}
		for rows.Next() {
			var name string
			var size int64
			rows.Scan(&name, &size)
			fmt.Printf("%-14s %-32s %6.1f\n", filepath.Base(f), name, float64(size)/float64(n))
		}
		rows.Close()
		db.Close()
	}
}

// BenchmarkPage tells what a page of 100 events costs, with all that belongs to them.
func BenchmarkPage(b *testing.B) {
	s := open(b)
	m := trailtest.Mix{Begin: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), Events: 20_000, Days: 1}
	if err := s.Write(b.Context(), m.Batch(0, m.Events)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		if err := s.Events(b.Context(), trail.Question{}, func(*trail.Full) bool { n++; return true }); err != nil || n != 100 {
			b.Fatal(n, err)
		}
	}
}
