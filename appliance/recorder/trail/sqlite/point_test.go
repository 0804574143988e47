package sqlite

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
)

// TestPoint: questions for one value go by an index, on a day that is over.
func TestPoint(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := s.Write(t.Context(), trailtest.Events(0, 1000)); err != nil {
		t.Fatal(err)
	}
	db, done, err := s.day("2026-11-01", false)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	for text, index := range map[string]string{
		"object:" + trailtest.Hash(7).String(): "sighting_hash",
		"host:h3.example.com":                  "words",
		"client:10.1.1.1":                      "words",
		"to:cc20@example.test":                 "party_address",
		"session:" + strings.Repeat("12", 16):  "event_hi",
		"id:" + strings.Repeat("12", 16):       "event_hi",
	} {
		q, err := trail.Language.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var w where
		condition := w.condition(q.Expr())
		var plan []string
		err = each(t.Context(), db, "explain query plan "+selectEvents+"where "+condition+" order by e.hi desc, e.lo desc limit 100", w.args, func(rows *sql.Rows) error {
			var a, b, c int
			var line string
			err := rows.Scan(&a, &b, &c, &line)
			plan = append(plan, line)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(plan, "\n"); !strings.Contains(all, index) {
			t.Errorf("%s does not go by %s:\n%s", text, index, all)
		}
	}
}

// BenchmarkPoint asks for one value over 90 days of 1,440 events each.
func BenchmarkPoint(b *testing.B) {
	s := open(b)
	const days, batch = 90, 1440
	for n := range days {
		if err := s.Write(b.Context(), trailtest.Events(n*batch, batch)); err != nil {
			b.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"session": "session:" + trailtest.ID(trailtest.Begin, 1<<63).String(),
		"object":  "object:" + trailtest.Hash(99).String(), // there is none
		"host":    "host:nowhere.example.com",
		"words":   "nowhere",
		"client":  "client:10.1.9.9",
		"newest":  "",
	} {
		q, err := trail.Language.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := s.Events(b.Context(), trail.Question{Query: q}, func(*trail.Full) bool { return true }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
