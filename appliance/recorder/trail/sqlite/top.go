package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// topColumns are the fields of [trail.TopFields], as numbers of str, or of addr for ends.
var topColumns = map[query.ID]string{
	trail.FieldClient: clientOf, trail.FieldServer: serverOf, trail.FieldHost: "e.host", trail.FieldUser: "e.user", trail.FieldKind: "k.kind",
	trail.FieldProtocol: "k.protocol", trail.FieldMethod: "k.method", trail.FieldType: "k.type", trail.FieldAgent: "e.agent", trail.FieldOutcome: "k.outcome", trail.FieldFrom: "e.sender",
}

// rolled is how many values of a field a day that is over has counts of.
const rolled = trail.MaxTop

// rollUp counts a day that is over: by hours, and the most frequent values of fields.
func rollUp(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, text := range []string{"delete from hour", "delete from top"} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "insert into hour select e.hi/?, k.kind, count(*), sum(e.up), sum(e.down)"+fromEvents+"group by 1, 2", int64(time.Hour)); err != nil {
		return err
	}
	for field, column := range topColumns {
		if _, err := tx.ExecContext(ctx, "insert into top select ?, "+column+", count(*), sum(e.up), sum(e.down)"+fromEvents+"where "+column+"<>0 group by 2 order by 3 desc limit ?", int(field), rolled); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// span is what a question is about.
type span struct {
	expr     *query.Expr
	from, to int64 // nanoseconds, both included
}

func spanOf(q *trail.Question) span {
	p := span{expr: q.Query.Expr()}
	p.from, p.to = q.Span()
	return p
}

// condition writes it as a condition on events.
func (p *span) condition(w *where) string {
	return w.condition(p.expr) + " and e.hi>=" + w.arg(p.from) + " and e.hi<=" + w.arg(p.to)
}

// counted reports whether the counts of a day that is over answer a question.
func (s *Store) counted(date string, p *span) bool {
	begin, _ := time.Parse(dayLayout, date)
	if !trail.OnlyTimes(p.expr) || begin.UnixNano() < p.from || begin.AddDate(0, 0, 1).UnixNano()-1 > p.to {
		return false
	}
	f := s.openFilter(date) // which is there if the counts are
	defer f.close()
	return f != nil
}

// Top implements [trail.Reader].
func (s *Store) Top(ctx context.Context, q trail.Question, field query.ID, limit int) ([]trail.Count, error) {
	column, ok := topColumns[field]
	if !ok {
		return nil, fmt.Errorf("there is no list of the most frequent values of this field")
	}
	ends := field == trail.FieldClient || field == trail.FieldServer
	value := func(column string) string {
		if ends {
			return addrOf(column)
		}
		return strOf(column)
	}
	p := spanOf(&q)
	counts := make(map[string]trail.Count)
	err := s.eachDate(p.from, p.to, func(f *filter) bool { return f.matches(p.expr) }, func(date string, db *sql.DB) (bool, error) {
		var w where
		text := "select " + value("value") + ", events, up, down from top where field=" + w.arg(int(field))
		if !s.counted(date, &p) {
			w = where{}
			text = "select " + value("v") + ", n, u, d from (select " + column + " v, count(*) n, sum(e.up) u, sum(e.down) d" + fromEvents + "where " + column + "<>0 and " + p.condition(&w) + " group by 1)"
		}
		return true, each(ctx, db, text, w.args, func(rows *sql.Rows) error {
			var c trail.Count
			var raw []byte
			if err := rows.Scan(&raw, &c.Events, &c.Up, &c.Down); err != nil {
				return err
			}
			if c.Value = string(raw); ends {
				c.Value = fromAddress(raw, 0).Addr().String()
			}
			sum := counts[c.Value]
			sum.Add(c)
			counts[c.Value] = sum
			return nil
		})
	})
	return trail.Most(counts, min(max(limit, 1), trail.MaxTop)), err
}

// Timeline implements [trail.Reader].
func (s *Store) Timeline(ctx context.Context, q trail.Question, step time.Duration) ([]trail.Moment, error) {
	if err := trail.CheckSteps(&q, step); err != nil {
		return nil, err
	}
	p := spanOf(&q)
	begin := q.From.UnixNano()
	byHours := step%time.Hour == 0 && begin%int64(time.Hour) == 0
	type moment struct {
		n    int64
		kind string
	}
	counts := make(map[moment]trail.Count)
	err := s.eachDate(p.from, p.to, func(f *filter) bool { return f.matches(p.expr) }, func(date string, db *sql.DB) (bool, error) {
		var w where
		text := "select (hour*" + w.arg(int64(time.Hour)) + "-" + w.arg(begin) + ")/" + w.arg(int64(step)) + ", " + strOf("kind") + ", events, up, down from hour"
		if !byHours || !s.counted(date, &p) {
			w = where{}
			text = "select t, " + strOf("kind") + ", n, u, d from (select (e.hi-" + w.arg(begin) + ")/" + w.arg(int64(step)) + " t, k.kind kind, count(*) n, sum(e.up) u, sum(e.down) d" + fromEvents + "where " + p.condition(&w) + " group by 1, 2)"
		}
		return true, each(ctx, db, text, w.args, func(rows *sql.Rows) error {
			var m moment
			var c trail.Count
			if err := rows.Scan(&m.n, &m.kind, &c.Events, &c.Up, &c.Down); err != nil {
				return err
			}
			c.Value = m.kind
			sum := counts[m]
			sum.Add(c)
			counts[m] = sum
			return nil
		})
	})
	list := make([]trail.Moment, 0, len(counts))
	for m, c := range counts {
		list = append(list, trail.Moment{At: q.From.Add(time.Duration(m.n) * step).UTC(), Count: c})
	}
	slices.SortFunc(list, func(a, b trail.Moment) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Value, b.Value)) })
	return list, err
}
