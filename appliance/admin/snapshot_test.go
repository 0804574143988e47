package admin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSnapshot: values are found by name and labels.
func TestSnapshot(t *testing.T) {
	m := NewMetrics("v1")
	m.Sink("live", []string{"slow", "late"}, nil)
	m.Mirrored("live", 3, 300)
	m.MirrorLost("live", "slow", 20)
	m.Mirrored("files", 1, 100)
	s := m.Snapshot()
	live := map[string]string{"sink": "live"}
	if got := s.Total("mirror_octets_total", live); got != 300 {
		t.Errorf("octets of live: %v", got)
	}
	if got := s.Total("mirror_octets_total", nil); got != 400 {
		t.Errorf("octets: %v", got)
	}
	if diff := cmp.Diff(map[string]uint64{"slow": 20}, s.By("mirror_lost_octets_total", "reason", live)); diff != "" {
		t.Error(diff)
	}
	if got := s.Series("nosuch", nil); got != nil {
		t.Errorf("series of no metric: %v", got)
	}
	var text strings.Builder
	if err := s.Write(&text); err != nil || !strings.Contains(text.String(), `clearspan_mirror_octets_total{sink="live"} 300`) {
		t.Errorf("%v\n%s", err, &text)
	}
}
