package wire

import (
	"testing"
	"time"
)

func TestLinkLoss(t *testing.T) {
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
		{"all is well", [2]bool{}, []step{{0, both, noLeg}, {time.Hour, both, noLeg}}},
		{"a loss, at once", [2]bool{}, []step{{0, both, noLeg}, {1, first, 0}, {time.Hour, no, 0}}},
		{"and back", [2]bool{}, []step{{0, second, 1}, {1, no, 1}, {5 * time.Second, first, 1}, {stableFor - 1, first, 1}, {1, first, noLeg}}},
		{"flapping", [2]bool{}, []step{
			{0, second, 1}, {time.Second / 2, first, 1}, {time.Second / 2, no, 1}, {time.Second / 2, first, 1}, {time.Second / 2, first, 1},
			{time.Second / 4, no, 1}, {time.Hour, first, 1}, {stableFor, first, noLeg},
		}},
		{"both ends at once", [2]bool{}, []step{{0, both, noLeg}, {1, no, noLeg}, {1, first, 0}, {1, no, 0}}},
		{"legs that settle", [2]bool{true, true}, []step{{0, no, noLeg}, {time.Second, first, noLeg}, {time.Second, both, noLeg}, {1, first, 0}}},
		{"a leg that never settles", [2]bool{true, true}, []step{{0, first, noLeg}, {negotiationLimit - 1, first, noLeg}, {1, first, 0}}},
		// The second cable was pulled while its leg was down: then the first leg has to
		// go, and the second one, which is set up, has its carrier come back.
		{"the other cable meanwhile", [2]bool{}, []step{
			{0, second, 1}, {1, first, 1}, {stableFor, first, noLeg}, {1, first, noLeg},
			{negotiationLimit, first, 0}, {1, no, 0}, {time.Hour, second, 0}, {stableFor, second, noLeg}, {1, both, noLeg},
		}},
		// A loss while the leg that came up still settles counts: it may have its
		// carrier in a moment.
		{"a loss while the other settles", [2]bool{}, []step{{0, second, 1}, {1, first, 1}, {stableFor, first, noLeg}, {1, no, 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, now := linkLoss{lostLeg: noLeg}, time.Unix(1000, 0)
			for i, raised := range tt.raised {
				if raised {
					l.setUp(i, now)
				}
			}
			for i, step := range tt.steps {
				now = now.Add(step.after)
				was := l.down()
				l.update(now, carriers[step.carrier])
				if got := l.down(); got != step.down {
					t.Fatalf("step %d, carrier %s: leg %d is down, want %d", i, step.carrier, got, step.down)
				}
				if was != noLeg && l.down() == noLeg {
					l.setUp(was, now)
				}
			}
		})
	}
}
