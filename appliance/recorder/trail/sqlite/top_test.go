package sqlite

import (
	"slices"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
)

// TestRolledUp: what was counted when a day was over is what a count of its events gives.
func TestRolledUp(t *testing.T) {
	s := open(t)
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := trailtest.Mix{Begin: begin, Events: 900, Days: 3}
	if err := s.Write(t.Context(), m.Batch(0, 900)); err != nil {
		t.Fatal(err)
	}
	q := trail.Question{From: begin, To: begin.AddDate(0, 0, 3)}
	live := q
	var err error
	if live.Query, err = trail.Language.Parse("-nosuchword"); err != nil { // every event is looked at
		t.Fatal(err)
	}
	for name, field := range trail.TopFields {
		a, err := s.Top(t.Context(), q, field, 1000)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Top(t.Context(), live, field, 1000)
		if err != nil || len(a) == 0 || !slices.Equal(a, b) {
			t.Errorf("%s: %d values, and %d by a count, %v", name, len(a), len(b), err)
		}
	}
	for _, step := range []time.Duration{time.Hour, 24 * time.Hour} {
		a, err := s.Timeline(t.Context(), q, step)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Timeline(t.Context(), live, step)
		if err != nil || len(a) == 0 || !slices.Equal(a, b) {
			t.Errorf("%v: %d moments, and %d by a count, %v", step, len(a), len(b), err)
		}
	}
	for text, want := range map[string]bool{"": true, "after:2025-12-31": true, "after:2026-01-01T12:00:00": false, "-after:2027-01-01": false, "at:2026-01-01,2026-01-03": false, "kind:mail": false, "after:2025-12-31 kind:mail": false} {
		q := q
		if q.Query, err = trail.Language.Parse(text); err != nil {
			t.Fatal(err)
		}
		p := spanOf(&q)
		if got := s.counted("2026-01-01", &p); got != want {
			t.Errorf("%q: the counts of the day answer it: %v", text, got)
		}
		a, err := s.Top(t.Context(), q, trail.FieldHost, 1000)
		if err != nil {
			t.Fatal(err)
		}
		q.Query, _ = trail.Language.Parse("(" + text + ") -nosuchword")
		if text == "" {
			q.Query = live.Query
		}
		if b, err := s.Top(t.Context(), q, trail.FieldHost, 1000); err != nil || !slices.Equal(a, b) {
			t.Errorf("%q: %d values, and %d by a count, %v", text, len(a), len(b), err)
		}
	}
	rows := 0
	db, done, err := s.day("2026-01-01", false)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := db.QueryRow("select count(*) from hour").Scan(&rows); err != nil || rows == 0 {
		t.Errorf("%d rows of hours, %v", rows, err)
	}
}
