package wire

import "time"

// Times of legs that are tied.
const (
	// steadyFor is how long a leg must have its carrier again before the other leg
	// comes up: a cable that flaps is no cable.
	steadyFor = time.Second
	// settleLimit is how long a leg that was set up may be without carrier: both ends
	// agree on a speed first.
	settleLimit = 15 * time.Second
)

// neither stands for a leg where there is none.
const neither = -1

// tie decides when a leg is down because the other one has no carrier. At most one leg
// is down. The one that lost its carrier stays set up, so that the carrier can come
// back and be seen: the two never wait for each other. A leg that is down tells nothing
// of its own cable. A tie changes no interface. It is not safe for concurrent use.
type tie struct {
	lost     int          // the leg whose loss has the other one down; neither
	steady   time.Time    // since when that leg has its carrier again; zero: it has none
	patience [2]time.Time // until when a leg that was set up may have none
}

// down returns the leg that is to be down, or neither.
func (s *tie) down() int {
	if s.lost == neither {
		return neither
	}
	return 1 - s.lost
}

// raised notes that a leg was set up.
func (s *tie) raised(leg int, now time.Time) { s.patience[leg] = now.Add(settleLimit) }

// look takes in which legs have a carrier. A leg that is set down has none.
func (s *tie) look(now time.Time, carrier [2]bool) {
	if s.lost != neither {
		switch {
		case !carrier[s.lost]:
			s.steady = time.Time{}
		case s.steady.IsZero():
			s.steady = now
		case now.Sub(s.steady) >= steadyFor:
			s.lost = neither
		}
		return
	}
	for i, has := range carrier {
		if has {
			s.patience[i] = time.Time{} // it came; the next loss is one
		}
	}
	for i, has := range carrier {
		other := carrier[1-i] || now.Before(s.patience[1-i]) // has a carrier to lose
		if !has && other && !now.Before(s.patience[i]) {
			s.lost, s.steady = i, time.Time{}
			return
		}
	}
}
