package admin

import (
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestWirePaths(t *testing.T) {
	m := NewMetrics("test")
	counts := map[string]uint64{"held": 7, "sent": 9}
	if err := m.WirePaths("wire", func() (map[string]uint64, error) { return counts, nil }); err != nil {
		t.Fatal(err)
	}
	if err := m.WirePaths("closed", func() (map[string]uint64, error) { return nil, errors.New("closed") }); err != nil {
		t.Fatal(err)
	}
	if err := m.WirePaths("wire", nil); err == nil {
		t.Error("two wires of one name")
	}
	want := `
# HELP clearspan_wire_frames_total Frames and connections of a wire, by path.
# TYPE clearspan_wire_frames_total counter
clearspan_wire_frames_total{intake="wire",path="held"} 7
clearspan_wire_frames_total{intake="wire",path="sent"} 9
`
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), "clearspan_wire_frames_total"); err != nil {
		t.Error(err)
	}
}
