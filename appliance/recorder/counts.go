package recorder

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// CountLine is how many events have a value, in JSON.
type CountLine struct {
	Value    string `json:"value"`
	Events   uint64 `json:"events"`
	Sent     uint64 `json:"octets_sent"`
	Received uint64 `json:"octets_received"`
}

// Shown returns the value as a terminal can show it.
func (l CountLine) Shown() string { return shown(l.Value) }

// MomentLine is a count of the events of a kind from a time on, in JSON.
type MomentLine struct {
	Time     string `json:"time"`
	Kind     string `json:"kind"`
	Events   uint64 `json:"events"`
	Sent     uint64 `json:"octets_sent"`
	Received uint64 `json:"octets_received"`
}

// ErrCount is in errors about a list or a timeline that there cannot be.
var ErrCount = errors.New("cannot count")

// TopField returns the field of a list of the most frequent values. Errors have [ErrCount].
func TopField(name string) (query.ID, error) {
	field, ok := trail.TopFields[name]
	if !ok {
		return 0, fmt.Errorf("%w by %q: the fields are %s", ErrCount, name, strings.Join(TopFields(), ", "))
	}
	return field, nil
}

// TopFields returns the names of the fields that have lists of the most frequent values, sorted.
func TopFields() []string {
	var names []string
	for name := range trail.TopFields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Top returns the most frequent values of a field in the events that a question asks for.
func (a *Archive) Top(ctx context.Context, q trail.Question, field query.ID, limit int) ([]CountLine, error) {
	counts, err := a.Trail.Top(ctx, q, field, limit)
	lines := make([]CountLine, len(counts))
	for i, c := range counts {
		lines[i] = CountLine{Value: c.Value, Events: c.Events, Sent: c.Up, Received: c.Down}
	}
	return lines, err
}

// steps are those of a timeline whose question has none.
var steps = []time.Duration{time.Hour, 24 * time.Hour, 30 * 24 * time.Hour}

// Timeline counts the events that a question asks for by steps. If it has no beginning or end,
// they are those of the trail. If step is 0, it is an hour, or a day where the time is long.
// Errors about the question have [ErrCount].
func (a *Archive) Timeline(ctx context.Context, q trail.Question, step time.Duration) ([]MomentLine, error) {
	if step < 0 || step%time.Second != 0 {
		return nil, fmt.Errorf("%w by steps of %v: want seconds, such as 1h", ErrCount, step)
	}
	any, err := a.bound(ctx, &q)
	if err != nil || !any {
		return nil, err
	}
	if step == 0 {
		for _, step = range steps {
			if q.To.Sub(q.From) <= (trail.MaxTop-2)*step {
				break
			}
		}
	}
	q.From = q.From.UTC().Truncate(step)
	if err := trail.CheckSteps(&q, step); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCount, err)
	}
	moments, err := a.Trail.Timeline(ctx, q, step)
	lines := make([]MomentLine, len(moments))
	for i, m := range moments {
		lines[i] = MomentLine{Time: m.At.Format(time.RFC3339), Kind: m.Value, Events: m.Events, Sent: m.Up, Received: m.Down}
	}
	return lines, err
}

// bound gives a question a beginning and an end: its own, those of its query, or those of the
// trail. It reports whether there is time between them.
func (a *Archive) bound(ctx context.Context, q *trail.Question) (bool, error) {
	days, err := a.Trail.Sizes(ctx)
	if err != nil || len(days) == 0 {
		return false, err
	}
	from, to := trail.Times(q.Query.Expr())
	first, last := days[0].Start(), days[len(days)-1].Start().AddDate(0, 0, 1)
	if from > math.MinInt64 {
		first = later(first, time.Unix(0, from))
	}
	if to < math.MaxInt64 {
		last = earlier(last, time.Unix(0, to+1))
	}
	if q.From = later(first, q.From); q.To.IsZero() {
		q.To = last
	}
	q.To = earlier(last, q.To)
	return q.To.After(q.From), nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
