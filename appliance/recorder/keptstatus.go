package recorder

import (
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/retain"
)

// KeptStatus is what is kept of a class.
type KeptStatus struct {
	Class  retain.Class `json:"class"`
	Count  int64        `json:"count"` // of volumes, objects or days
	Octets int64        `json:"octets"`
	Oldest time.Time    `json:"oldest"`
	Daily  float64      `json:"octets_a_day"` // that came, by the last 24 h
}

// sample is how many octets of each class had come up to a time.
type sample struct {
	at   time.Time
	came map[retain.Class]int64
}

const (
	rateOver  = 24 * time.Hour
	rateLeast = 10 * time.Second // a shorter time says nothing
)

// account computes what comes in a day, and for how many days the disk is enough.
func (k *keeper) account(now time.Time, kept []KeptStatus) {
	s := sample{now, make(map[retain.Class]int64)}
	for i := range kept {
		s.came[kept[i].Class] = kept[i].Octets + k.removed[kept[i].Class]
	}
	k.samples = append(k.samples, s)
	for len(k.samples) > 2 && now.Sub(k.samples[1].at) >= rateOver {
		k.samples = k.samples[1:]
	}
	first := k.samples[0]
	over := now.Sub(first.at)
	growth := make([]retain.Growth, 0, len(kept))
	for i := range kept {
		c := &kept[i]
		rate := 0.0
		if over >= rateLeast {
			rate = max(float64(s.came[c.Class]-first.came[c.Class])/over.Seconds(), 0)
		}
		c.Daily = rate * 86400
		growth = append(growth, retain.Growth{Size: c.Octets, Rate: rate, Limit: k.cfg.Retain.Of(c.Class)})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status.Kept = kept
	d := &k.status.Disk
	free := max(d.Free-k.cfg.Retain.ReserveOf(d.Octets), 0)
	days, runsOut := retain.Days(free, growth)
	d.Days, d.Holds = days, !runsOut && over >= rateLeast
}
