package audit

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt"
)

// An entry about frames has the keys of every other entry, none of them null but for
// those that a session may have null.
func TestEntryOfDroppedFrames(t *testing.T) {
	start := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	parse := func(e Entry) (all map[string]any) {
		text, err := json.Marshal(e)
		if err == nil {
			err = json.Unmarshal(text, &all)
		}
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	got, empty := parse(Dropped("wire", "fragment-dropped", 7, start, start.Add(time.Minute))), parse(NewEntry(&decrypt.Session{}, nil, nil))
	want := empty
	want["time"], want["start"], want["end"] = got["time"], "2026-03-01T11:00:00.000000000Z", "2026-03-01T11:01:00.000000000Z"
	want["transport"] = ""
	want["intake"], want["outcome"], want["reason"], want["frames"] = "wire", "dropped", "fragment-dropped", 7.0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
