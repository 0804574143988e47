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
	m := trailtest.Mix{Begin: begin, Events: 3000, Days: 3}
	if err := s.Write(t.Context(), m.Batch(0, 3000)); err != nil {
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
