package wire

import (
	"testing"
	"time"
)

func TestTie(t *testing.T) {
	const both, first, second, no = "both", "first", "second", "no"
	carriers := map[string][2]bool{both: {true, true}, first: {true, false}, second: {false, true}, no: {}}
	type step struct {
		after   time.Duration
		carrier string
		down    int
	}
	for _, tt := range []struct {
		name   string
		raised [2]bool // set up at the start
		steps  []step
	}{
		{"all is well", [2]bool{}, []step{{0, both, neither}, {time.Hour, both, neither}}},
		{"a loss, at once", [2]bool{}, []step{{0, both, neither}, {1, first, 0}, {time.Hour, no, 0}}},
		{"and back", [2]bool{}, []step{{0, second, 1}, {1, no, 1}, {5 * time.Second, first, 1}, {steadyFor - 1, first, 1}, {1, first, neither}}},
		{"flapping", [2]bool{}, []step{
			{0, second, 1}, {time.Second / 2, first, 1}, {time.Second / 2, no, 1}, {time.Second / 2, first, 1}, {time.Second / 2, first, 1},
			{time.Second / 4, no, 1}, {time.Hour, first, 1}, {steadyFor, first, neither},
		}},
		{"both ends at once", [2]bool{}, []step{{0, both, neither}, {1, no, neither}, {1, first, 0}, {1, no, 0}}},
		{"legs that settle", [2]bool{true, true}, []step{{0, no, neither}, {time.Second, first, neither}, {time.Second, both, neither}, {1, first, 0}}},
		{"a leg that never settles", [2]bool{true, true}, []step{{0, first, neither}, {settleLimit - 1, first, neither}, {1, first, 0}}},
		// The second cable was pulled while its leg was down: then the first leg has to
		// go, and the second one, which is set up, has its carrier come back.
		{"the other cable meanwhile", [2]bool{}, []step{
			{0, second, 1}, {1, first, 1}, {steadyFor, first, neither}, {1, first, neither},
			{settleLimit, first, 0}, {1, no, 0}, {time.Hour, second, 0}, {steadyFor, second, neither}, {1, both, neither},
		}},
		// A loss while the leg that came up still settles counts: it may have its
		// carrier in a moment.
		{"a loss while the other settles", [2]bool{}, []step{{0, second, 1}, {1, first, 1}, {steadyFor, first, neither}, {1, no, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, now := tie{lost: neither}, time.Unix(1000, 0)
			for i, raised := range tt.raised {
				if raised {
					s.raised(i, now)
				}
			}
			for i, step := range tt.steps {
				now = now.Add(step.after)
				was := s.down()
				s.look(now, carriers[step.carrier])
				if got := s.down(); got != step.down {
					t.Fatalf("step %d, carrier %s: leg %d is down, want %d", i, step.carrier, got, step.down)
				}
				if was != neither && s.down() == neither {
					s.raised(was, now)
				}
			}
		})
	}
}
