package recorder

import (
	"context"

	"github.com/clearspan/clearspan/appliance/recorder/alert"
	"github.com/clearspan/clearspan/appliance/recorder/analyst"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// telling tells of findings that are worth it, once their rows are kept. Rows that are written
// again are told again: an alert twice is better than none.
type telling struct {
	analyst.Output
	queue *alert.Queue
}

// alone are the detectors of which one value is worth no alert.
var alone = map[string]bool{"phone": true, "e-mail": true, "address": true, "postal-code": true, "birth-date": true}

// leastPeople is how many rows about people are worth an alert.
const leastPeople = 10

// worth reports whether a finding is worth an alert.
func worth(f *trail.Finding) bool {
	return f.Score >= inspect.Told && !alone[f.Detector] && (f.Detector != "person" || f.Count >= leastPeople)
}

// Write implements [analyst.Output].
func (t telling) Write(ctx context.Context, b *trail.Batch) error {
	if err := t.Output.Write(ctx, b); err != nil {
		return err
	}
	for i := range b.Findings {
		f := &b.Findings[i]
		if !worth(f) {
			continue
		}
		told := alert.Finding{At: f.At, Detector: f.Detector, Count: f.Count, Score: f.Score, Sample: f.Sample, Place: shown(f.Place), Object: f.Hash.String(), Event: f.Event.String()}
		for j := range b.Events {
			if e := &b.Events[j]; e.ID == f.Event {
				told.Client, told.Server, told.What = e.Client.String(), e.Server.String(), shown(Summary(e))
			}
		}
		for j := range b.Sightings {
			if s := &b.Sightings[j]; s.Event == f.Event && s.Hash == f.Hash && s.Name != "" {
				told.File = shown(s.Name)
			}
		}
		t.queue.Add(told)
	}
	return nil
}
