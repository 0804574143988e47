package watch

import (
	"context"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Counts are numbers of sessions.
type Counts struct {
	Open  int    `json:"open"`
	Kept  int    `json:"kept"`  // ended ones that lists still show
	Began uint64 `json:"began"` // since the start of the process
	Ended uint64 `json:"ended"`

	ByStage   map[string]int `json:"by_stage"`   // of the open ones
	ByAction  map[string]int `json:"by_action"`  // "" if none was decided on
	ByOutcome map[string]int `json:"by_outcome"` // "" before it is known
}

// Counts counts the sessions.
func (r *Registry) Counts() Counts {
	c := Counts{ByStage: map[string]int{}, ByAction: map[string]int{}, ByOutcome: map[string]int{}}
	r.all(func(l *Live) {
		l.mu.Lock()
		stage, outcome, action := l.stage, l.known.outcome(l.stage), ""
		if l.known.Decision.Rule != "" {
			action = l.known.Decision.Action.String()
		}
		l.mu.Unlock()
		c.Open++
		c.ByStage[stage]++
		c.ByAction[action]++
		c.ByOutcome[outcome]++
	})
	c.Began = r.began.Load()
	c.Ended, c.Kept = r.ended.total()
	return c
}

// keepSamples is for how many seconds rates can be told.
const keepSamples = 601

// sample is how far the counters were at a time.
type sample struct {
	at           time.Time
	began, ended uint64
	octets       [2]uint64
}

// samples are those of the last minutes.
type samples struct {
	octets func() [2]uint64 // of all sessions so far; may be nil

	mu   sync.Mutex
	list []sample // the oldest first, a second apart
}

// Rates are means over a window.
type Rates struct {
	Window   time.Duration `json:"window"` // that was measured: shorter soon after the start; 0: nothing yet
	Began    float64       `json:"began"`  // sessions a second
	Ended    float64       `json:"ended"`
	Sent     float64       `json:"client_to_origin"` // octets a second
	Received float64       `json:"origin_to_client"`
}

// Run measures rates until ctx ends. octets returns the octets that all sessions relayed
// so far, by direction; nil: none are told. It is called once a second.
func (r *Registry) Run(ctx context.Context, octets func() [2]uint64) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	r.samples.mu.Lock()
	r.samples.octets = octets
	r.samples.mu.Unlock()
	for r.sample(time.Now()); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			r.sample(now)
		}
	}
}

// sample notes how far the counters are.
func (r *Registry) sample(now time.Time) {
	s := r.now(now)
	r.samples.mu.Lock()
	defer r.samples.mu.Unlock()
	if len(r.samples.list) == keepSamples {
		r.samples.list = r.samples.list[:copy(r.samples.list, r.samples.list[1:])]
	}
	r.samples.list = append(r.samples.list, s)
}

func (r *Registry) now(at time.Time) sample {
	ended, _ := r.ended.total()
	s := sample{at: at, began: r.began.Load(), ended: ended}
	r.samples.mu.Lock()
	octets := r.samples.octets
	r.samples.mu.Unlock()
	if octets != nil {
		s.octets = octets()
	}
	return s
}

// Rates returns the means over the last window, 10 minutes at most.
func (r *Registry) Rates(window time.Duration) Rates {
	now := r.now(time.Now())
	r.samples.mu.Lock()
	defer r.samples.mu.Unlock()
	var from sample
	for i := len(r.samples.list) - 1; i >= 0; i-- {
		if from = r.samples.list[i]; now.at.Sub(from.at) >= window {
			break
		}
	}
	took := now.at.Sub(from.at)
	if from.at.IsZero() || took <= 0 {
		return Rates{}
	}
	mean := func(to, from uint64) float64 { return float64(to-from) / took.Seconds() }
	return Rates{
		Window: took, Began: mean(now.began, from.began), Ended: mean(now.ended, from.ended),
		Sent:     mean(now.octets[decrypt.ClientToOrigin], from.octets[decrypt.ClientToOrigin]),
		Received: mean(now.octets[decrypt.OriginToClient], from.octets[decrypt.OriginToClient]),
	}
}
