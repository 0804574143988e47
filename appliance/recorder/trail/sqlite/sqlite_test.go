package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "trail%#?"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestStore runs what every store must pass, before and behind the end of a day.
func TestStore(t *testing.T) { trailtest.Run(t, open(t)) }

// TestDays: a day that is over has more indexes, and one that is forgotten is gone.
func TestDays(t *testing.T) {
	s := open(t)
	if err := s.Write(t.Context(), trailtest.Events(0, 300)); err != nil {
		t.Fatal(err)
	}
	days, err := s.Days()
	if err != nil || len(days) != 2 || days[0] != "2026-11-02" {
		t.Fatalf("%v, %v", days, err)
	}
	finished := func(date string) (n int) {
		t.Helper()
		db, done, err := s.day(date, false)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
		if err := db.QueryRow("select count(*) from sqlite_master where name in ('finding_detector', ?)", lastClosed).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if a, b := finished(days[1]), finished(days[0]); a != 2 || b != 0 {
		t.Errorf("%d indexes of the first day, which is over, and %d of the second", a, b)
	}
	if err := s.Write(t.Context(), trailtest.Events(0, 300)); err != nil { // late
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(s.dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	today := time.Now().UTC().Format(dayLayout) > days[0]
	if n := finished(days[0]); today && n != 2 {
		t.Errorf("%d indexes of a day that was over at the end", n)
	}
	if err := s.Forget(t.Context(), "2026-11-02"); err != nil {
		t.Error(err)
	}
	n := 0
	s.Events(t.Context(), trail.Question{Limit: 1000}, func(*trail.Full) bool { n++; return true })
	if n != 120 {
		t.Errorf("%d events, want those of the first day", n)
	}
	if err := s.Forget(t.Context(), "../main"); err == nil {
		t.Error("a name that is no date is removed")
	}
	left, _ := os.ReadDir(s.dir)
	for _, e := range left {
		if strings.HasPrefix(e.Name(), "2026-11-02") {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// TestDamage: a day that is damaged is told, and the others answer.
func TestDamage(t *testing.T) {
	s := open(t)
	if err := s.Write(t.Context(), trailtest.Events(0, 300)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.WriteFile(filepath.Join(s.dir, "2026-11-02.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	n := 0
	err = again.Events(t.Context(), trail.Question{Limit: 1000}, func(*trail.Full) bool { n++; return true })
	if n != 120 || err == nil {
		t.Errorf("%d events, %v", n, err)
	}
}

// TestVersion: files of another schema are refused, and stay as they are.
func TestVersion(t *testing.T) {
	for _, name := range []string{"main", "2026-11-01"} {
		s := open(t)
		if err := s.Write(t.Context(), trailtest.Events(0, 10)); err != nil {
			t.Fatal(err)
		}
		db, err := s.open(name, daySchema)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("pragma user_version = 1"); err != nil {
			t.Fatal(err)
		}
		db.Close()
		s.Close()
		again, err := Open(s.dir)
		if err == nil {
			defer again.Close()
			err = again.Write(t.Context(), trailtest.Events(0, 20))
		}
		if err == nil || !strings.Contains(err.Error(), name+".db: the tables have version 1, this program knows") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s := open(b)
	n := 0
	for b.Loop() {
		if err := s.Write(b.Context(), trailtest.Events(n, 5000)); err != nil {
			b.Fatal(err)
		}
		n += 5000
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
	size := int64(0)
	list, _ := os.ReadDir(s.dir)
	for _, e := range list {
		if i, err := e.Info(); err == nil {
			size += i.Size()
		}
	}
	b.ReportMetric(float64(size)/float64(n), "B/event")
}
