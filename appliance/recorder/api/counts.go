package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Timeline is how many events there were, in order. Steps without events are left out.
type Timeline struct {
	Step   string   `json:"step"`
	Counts []Moment `json:"counts"`
}

// Moment is the events of a kind in one step of a timeline.
type Moment struct {
	Time     string `json:"time"` // when the step begins
	Kind     string `json:"kind"`
	Events   uint64 `json:"events"`
	Sent     uint64 `json:"octets_sent"`
	Received uint64 `json:"octets_received"`
}

// Top is the most frequent values of a field.
type Top struct {
	Field  string  `json:"field"`
	Values []Count `json:"values"`
}

// Count is how many events have a value.
type Count struct {
	Value    string `json:"value"`
	Events   uint64 `json:"events"`
	Sent     uint64 `json:"octets_sent"`
	Received uint64 `json:"octets_received"`
}

const defaultStep = time.Hour

func (s *server) timeline(w http.ResponseWriter, q *http.Request) error {
	x, err := question(q)
	if err != nil {
		return err
	}
	step := defaultStep
	if text := q.URL.Query().Get("step"); text != "" {
		if step, err = time.ParseDuration(text); err != nil {
			return &problem{http.StatusBadRequest, "step: want a duration such as 15m or 1h"}
		}
	}
	if x.To.IsZero() {
		x.To = time.Now()
	}
	if x.From.IsZero() {
		x.From = x.To.Add(-24 * time.Hour).Truncate(step)
	}
	if err := trail.CheckSteps(&x, step); err != nil {
		return bad(err)
	}
	ctx, cancel := context.WithTimeout(q.Context(), queryLimit)
	defer cancel()
	list, err := s.Archive.Trail.Timeline(ctx, x, step)
	if err != nil {
		return err
	}
	answer := Timeline{Step: step.String(), Counts: []Moment{}}
	for _, m := range list {
		answer.Counts = append(answer.Counts, Moment{stamp(m.At), m.Value, m.Events, m.Up, m.Down})
	}
	return reply(w, answer)
}

func (s *server) top(w http.ResponseWriter, q *http.Request) error {
	x, err := question(q)
	if err != nil {
		return err
	}
	name := q.URL.Query().Get("field")
	field, known := trail.TopFields[name]
	if !known {
		return &problem{http.StatusBadRequest, "field: want one of " + strings.Join(slices.Sorted(maps.Keys(trail.TopFields)), ", ")}
	}
	ctx, cancel := context.WithTimeout(q.Context(), queryLimit)
	defer cancel()
	list, err := s.Archive.Trail.Top(ctx, x, field, min(x.Limit, trail.MaxTop))
	if err != nil {
		return err
	}
	answer := Top{Field: name, Values: []Count{}}
	for _, c := range list {
		answer.Values = append(answer.Values, Count{c.Value, c.Events, c.Up, c.Down})
	}
	return reply(w, answer)
}
