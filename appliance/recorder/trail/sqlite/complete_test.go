package sqlite

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
)

// TestPage: events of a long page have what belongs to them, as when they are asked for alone.
func TestPage(t *testing.T) {
	s := open(t)
	m := trailtest.Mix{Begin: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Events: 3*together - 50, Days: 2}
	b := m.Batch(0, m.Events)
	for i, v := range b.Sightings {
		b.Findings = append(b.Findings, trail.Finding{ID: trailtest.ID(v.At, uint64(i)), Event: v.Event, Hash: v.Hash, At: v.At, Detector: "card", Count: uint64(i)})
	}
	if err := s.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	var list []*trail.Full
	if err := s.Events(t.Context(), trail.Question{Limit: trail.MaxPage}, func(x *trail.Full) bool { list = append(list, x); return true }); err != nil || len(list) != m.Events {
		t.Fatalf("%d events, %v", len(list), err)
	}
	parties, objects, findings := 0, 0, 0
	for _, x := range list {
		one, err := s.Event(t.Context(), x.ID)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(one, x, cmpopts.EquateComparable(trail.Event{}.Client)); d != "" {
			t.Fatal(d)
		}
		for _, v := range x.Sightings {
			if v.Event != x.ID {
				t.Errorf("%s has a sighting of %s", x.ID, v.Event)
			}
			if _, known := x.Objects[v.Hash]; known {
				objects++
			}
		}
		parties, findings = parties+len(x.Parties), findings+len(x.Findings)
	}
	if parties == 0 || objects == 0 || findings == 0 {
		t.Errorf("%d parties, %d objects, %d findings", parties, objects, findings)
	}
}
