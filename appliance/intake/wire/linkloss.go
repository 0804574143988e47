package wire

import "time"

// Times of legs that follow each other.
const (
	// stableFor is how long a leg must have its carrier again before the other leg
	// comes up: a cable that flaps is no cable.
	stableFor = time.Second
	// negotiationLimit is how long a leg that was set up may be without carrier: both ends
	// agree on a speed first.
	negotiationLimit = 15 * time.Second
)

// noLeg stands for a leg where there is none.
const noLeg = -1

// linkLoss is link loss forwarding: it decides when a leg is down because the other one
// has no carrier. At most one leg
// is down. The one that lost its carrier stays set up, so that the carrier can come
// back and be seen: the two never wait for each other. A leg that is down tells nothing
// of its own cable. A linkLoss changes no interface. It is not safe for concurrent use.
type linkLoss struct {
	lostLeg      int          // the leg whose loss has the other one down; neither
	carrierSince time.Time    // since when that leg has its carrier again; zero: it has none
	graceUntil   [2]time.Time // until when a leg that was set up may have none
}

// down returns the leg that is to be down, or neither.
func (l *linkLoss) down() int {
	if l.lostLeg == noLeg {
		return noLeg
	}
	return 1 - l.lostLeg
}

// setUp notes that a leg was set up.
func (l *linkLoss) setUp(leg int, now time.Time) { l.graceUntil[leg] = now.Add(negotiationLimit) }

// update takes in which legs have a carrier. A leg that is set down has none.
func (l *linkLoss) update(now time.Time, carrier [2]bool) {
	if l.lostLeg != noLeg {
		switch {
		case !carrier[l.lostLeg]:
			l.carrierSince = time.Time{}
		case l.carrierSince.IsZero():
			l.carrierSince = now
		case now.Sub(l.carrierSince) >= stableFor:
			l.lostLeg = noLeg
		}
		return
	}
	for i, has := range carrier {
		if has {
			l.graceUntil[i] = time.Time{} // it came; the next loss is one
		}
	}
	for i, has := range carrier {
		other := carrier[1-i] || now.Before(l.graceUntil[1-i]) // has a carrier to lose
		if !has && other && !now.Before(l.graceUntil[i]) {
			l.lostLeg, l.carrierSince = i, time.Time{}
			return
		}
	}
}
