package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/clearspan/clearspan/appliance/recorder"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// countFlags ask for counts of events in place of events.
type countFlags struct {
	top  string
	step time.Duration
}

func (c *countFlags) add(f *pflag.FlagSet) {
	f.StringVar(&c.top, "top", "", "the most frequent values of `FIELD`: "+strings.Join(recorder.TopFields(), ", "))
	f.DurationVar(&c.step, "timeline", 0, "how many events there were, by steps of `DURATION`, such as 1h")
}

// asked reports whether counts are asked for.
func (c *countFlags) asked() bool { return c.top != "" || c.step != 0 }

// show writes the counts.
func (c *countFlags) show(ctx context.Context, a *recorder.Archive, q trail.Question, w io.Writer, asJSON bool) error {
	if c.top == "" {
		return c.timeline(ctx, a, q, w, asJSON)
	}
	field, err := recorder.TopField(c.top)
	if err != nil {
		return badConfig(err)
	}
	lines, err := a.Top(ctx, q, field, q.Limit)
	if err != nil {
		return err
	}
	if asJSON {
		return jsonLines(w, lines)
	}
	fmt.Fprintf(w, "%8s %10s %10s  %s\n", "events", "sent", "received", c.top)
	for _, l := range lines {
		fmt.Fprintf(w, "%8d %10s %10s  %s\n", l.Events, octets(l.Sent), octets(l.Received), l.Shown())
	}
	return nil
}

func (c *countFlags) timeline(ctx context.Context, a *recorder.Archive, q trail.Question, w io.Writer, asJSON bool) error {
	lines, err := a.Timeline(ctx, q, c.step)
	if err != nil {
		if errors.Is(err, recorder.ErrCount) {
			return badConfig(err)
		}
		return err
	}
	if asJSON {
		return jsonLines(w, lines)
	}
	fmt.Fprintf(w, "%-20s  %8s %10s %10s  %s\n", "time", "events", "sent", "received", "kind")
	for _, l := range lines {
		fmt.Fprintf(w, "%-20s  %8d %10s %10s  %s\n", l.Time, l.Events, octets(l.Sent), octets(l.Received), l.Kind)
	}
	return nil
}

func jsonLines[T any](w io.Writer, lines []T) error {
	e := json.NewEncoder(w)
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}
