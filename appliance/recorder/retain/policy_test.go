package retain

import (
	"math"
	"testing"
	"time"
)

// TestLevelOf: less free space stops more, and more of it is needed to go on.
func TestLevelOf(t *testing.T) {
	p := Policy{Reserve: 800}
	for _, tt := range []struct {
		free int64
		was  Level
		want Level
	}{
		{800, Free, Free}, {799, Free, NoReceived}, {400, Free, NoReceived}, {399, Free, NoSent}, {199, Free, NoPackets}, {99, Free, NoTrail}, {0, Free, NoTrail},
		{850, NoReceived, NoReceived}, {880, NoReceived, Free}, {430, NoSent, NoSent}, {440, NoSent, NoReceived}, {109, NoTrail, NoTrail}, {110, NoTrail, NoPackets}, {1000, NoTrail, Free},
	} {
		if got := p.LevelOf(tt.free, 1<<40, tt.was); got != tt.want {
			t.Errorf("%d octets free, %v before: %v, want %v", tt.free, tt.was, got, tt.want)
		}
	}
	if got := (&Policy{}).ReserveOf(100 << 30); got != 2<<30 {
		t.Errorf("reserve of 100 GiB: %d", got)
	}
}

// TestDays: classes fill a disk until their bounds hold them.
func TestDays(t *testing.T) {
	const day = 86400.0
	for _, tt := range []struct {
		name    string
		free    int64
		classes []Growth
		want    float64 // -1: for good
	}{
		{"nothing comes", 1000, []Growth{{Size: 500}}, -1},
		{"no bound", 1000, []Growth{{Size: 500, Rate: 100 / day}}, 10},
		{"two without bounds", 1000, []Growth{{Rate: 100 / day}, {Rate: 300 / day}}, 2.5},
		{"a bound by size holds", 1000, []Growth{{Size: 500, Rate: 100 / day, Limit: Limit{Size: 1400}}}, -1},
		{"a bound by size is too large", 1000, []Growth{{Size: 500, Rate: 100 / day, Limit: Limit{Size: 1600}}}, 10},
		{"a bound by age holds", 1000, []Growth{{Rate: 100 / day, Limit: Limit{Age: 9 * 24 * time.Hour}}}, -1},
		{"a bound by age is too long", 1000, []Growth{{Rate: 100 / day, Limit: Limit{Age: 11 * 24 * time.Hour}}}, 10},
		{"one holds, one does not", 1000, []Growth{{Rate: 100 / day, Limit: Limit{Size: 500}}, {Rate: 100 / day}}, 5},
		{"too large already", 1000, []Growth{{Size: 900, Rate: 1, Limit: Limit{Size: 800}}}, -1},
	} {
		got, ok := Days(tt.free, tt.classes)
		if !ok {
			got = -1
		}
		if math.Abs(got-tt.want) > 0.01 {
			t.Errorf("%s: %v days, want %v", tt.name, got, tt.want)
		}
	}
}

// TestParseAge: ages have a unit, and a bound.
func TestParseAge(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"12h": 12 * time.Hour, "30d": 720 * time.Hour, "7y": 7 * 8760 * time.Hour, "100y": maxAge,
		"": 0, "d": 0, "0d": 0, "30": 0, "-1d": 0, "1.5d": 0, "101y": 0, "99999999999d": 0, "3m": 0, "５d": 0,
	} {
		if got, err := ParseAge(s); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}
