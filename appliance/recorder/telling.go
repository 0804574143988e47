package recorder

import (
	"context"

	"github.com/clearspan/clearspan/appliance/recorder/alert"
	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/judge"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Detectors returns the names of all that findings can be of, in order: those that rules may
// name.
func Detectors(o inspect.Options) []string { return append(o.Detectors(), string(extract.Encrypted)) }

// telling has findings judged on their way, and tells of those that are worth it, once their
// rows are kept. Rows that are written again are told again: an alert twice is better than
// none.
type telling struct {
	analyst.Output
	judge *judge.Judge
	users *judge.Users
	queue *alert.Queue // nil: nobody is told
}

// Write implements [analyst.Output].
func (t telling) Write(ctx context.Context, b *trail.Batch) error {
	list := t.judge.Judge(b, t.users)
	if err := t.Output.Write(ctx, b); err != nil || t.queue == nil {
		return err
	}
	for _, told := range list {
		f := told.Finding
		a := alert.Finding{At: f.At, Rule: told.Rule, Detector: f.Detector, Count: f.Count, Score: f.Score, Sample: f.Sample, Place: shown(f.Place), Object: f.Hash.String(), Event: f.Event.String()}
		for j := range b.Events {
			if e := &b.Events[j]; e.ID == f.Event {
				a.Client, a.Server, a.What = e.Client.String(), e.Server.String(), shown(Summary(e))
			}
		}
		for j := range b.Sightings {
			if s := &b.Sightings[j]; s.Event == f.Event && s.Hash == f.Hash && s.Name != "" {
				a.File = shown(s.Name)
			}
		}
		t.queue.Add(a, told.Alert)
	}
	return nil
}
