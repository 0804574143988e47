package wire

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each cause has its word once a minute, with what came since, and once at the end.
func TestDrops(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	var got []Drops
	d := dropReporter{report: func(x Drops) { got = append(got, x) }, causes: make(map[string]*dropCause), since: start}
	const cause, other = "fragment" + droppedSuffix, "tag" + droppedSuffix
	for _, look := range []struct {
		at               int
		fragments, tags  uint64
		held, fragmented uint64
	}{
		{10, 0, 0, 5, 5}, {20, 3, 0, 6, 9}, {30, 4, 1, 7, 9}, {70, 9, 1, 8, 9}, {80, 9, 1, 9, 9}, {200, 9, 1, 9, 9}, {210, 10, 1, 9, 9},
	} {
		d.update(at(look.at), map[string]uint64{cause: look.fragments, other: look.tags, "held": look.held, "fragment": look.fragmented}, false)
	}
	d.update(at(215), map[string]uint64{cause: 12, other: 1}, true)
	want := []Drops{
		{cause, 3, at(10), at(20)}, // the first at once
		{other, 1, at(20), at(30)},
		{cause, 6, at(20), at(80)}, // a minute later
		{cause, 1, at(200), at(210)},
		{cause, 2, at(210), at(215)}, // what is left
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	(&dropReporter{}).update(start, map[string]uint64{cause: 1}, true) // nobody listens
}
