package wirefuzz

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

var (
	firstSeed = flag.Uint64("seed", 0, "run the case of this seed; with -cases, so many from it on")
	caseCount = flag.Int("cases", 0, "how many cases each take-over gets")
	oneCase   = flag.String("case", "", "run this case, in JSON as it is printed")
	survey    = flag.Bool("survey", false, "reduce all divergences and list them by kind")
)

// long is how long cases are made if tests are to be thorough.
const long = time.Hour

// TestFuzz runs cases that diverged once, then those of seeds that are always the
// same.
func TestFuzz(t *testing.T) {
	first, n, limit := uint64(1), *caseCount, time.Duration(0)
	if *firstSeed != 0 {
		first, n = *firstSeed, max(n, 1)
	}
	asked := n != 0
	switch {
	case asked:
	case tempo.Rounds() > 1:
		n, limit = 1<<30, long
	default:
		n = 400
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, k)
			if !asked {
				for name, d := range r.runKnown(readKnown(t)) {
					t.Errorf("%s: %v", name, d)
				}
			}
			r.fuzz(first, n, limit)
		})
	}
}

// TestCase runs the case of -case, -cases times at once, and tells what came of it.
func TestCase(t *testing.T) {
	if *oneCase == "" {
		t.Skip("needs -case")
	}
	c := new(Case)
	if err := json.Unmarshal([]byte(*oneCase), c); err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, k)
			var all sync.WaitGroup
			for range max(1, *caseCount) {
				all.Go(func() {
					d, err := r.run(c)
					t.Logf("%v, %v", d, err)
				})
			}
			all.Wait()
			t.Log(c)
		})
	}
}

// found is a case that diverged.
type found struct {
	seed uint64
	c    *Case
	d    *divergence
}

// maxFound is how many divergences are kept; then it is enough.
const maxFound = 2000

// fuzz runs the cases of n seeds, for a while unless limit is 0.
func (r *rig) fuzz(first uint64, n int, limit time.Duration) {
	r.t.Helper()
	start := time.Now()
	var mu sync.Mutex
	var all []found
	var next, ran atomic.Uint64
	var workers sync.WaitGroup
	var must, delivered atomic.Int64
	for range min(n, together) {
		workers.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= uint64(n) || !r.alive() || limit != 0 && time.Since(start) > limit {
					return
				}
				ran.Add(1)
				c := generate(first + i)
				if n == 1 {
					r.t.Log(c)
				}
				d, err := r.run(c)
				if err != nil {
					r.t.Errorf("seed %d: %v", first+i, err)
					return
				}
				if c.Must != "" {
					must.Add(1)
					if d == nil {
						delivered.Add(1)
					}
				}
				if d != nil {
					mu.Lock()
					all = append(all, found{first + i, c, d})
					enough := len(all) >= maxFound
					mu.Unlock()
					if enough {
						return
					}
				}
			}
		})
	}
	workers.Wait()
	took := time.Since(start)
	byKind := make(map[string]int)
	for _, f := range all {
		byKind[f.d.kind]++
	}
	r.t.Logf("%d cases in %.1f s, %.0f a second; %d divergences: %v; %d of %d well-behaved clients were served",
		ran.Load(), took.Seconds(), float64(ran.Load())/took.Seconds(), len(all), byKind, delivered.Load(), must.Load())
	if !r.alive() {
		r.t.Errorf("the daemon ended: %v\n%s", r.daemon.Wait(), r.stderr.String())
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.seed, b.seed) })
	r.report(slices.DeleteFunc(all, func(f found) bool {
		if f.c.Must != "" {
			r.t.Errorf("a well-behaved client, seed %d\n%v\n  %v", f.seed, f.c, f.d)
		}
		return f.c.Must != ""
	}))
}

// report reduces divergences and prints one of each kind.
func (r *rig) report(all []found) {
	r.t.Helper()
	most, tries := 3, 1000
	if *survey {
		most, tries = 150, 150
	}
	reduced := make([]found, min(most, len(all)))
	var workers sync.WaitGroup
	turns := make(chan struct{}, 16)
	for i := range reduced {
		workers.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			f := all[i]
			c := r.reduce(f.c, tries)
			for range 3 { // a reduction that does not diverge again is none
				if d, err := r.run(c); err == nil && d != nil {
					f.c, f.d = c, d
					break
				}
			}
			reduced[i] = f
		})
	}
	workers.Wait()
	type class struct {
		found
		times int
	}
	classes := make(map[string]*class)
	var order []string
	for _, f := range reduced {
		s := f.c.signature(f.d)
		if classes[s] == nil {
			classes[s] = &class{found: f}
			order = append(order, s)
		}
		classes[s].times++
	}
	for _, s := range order {
		k := classes[s]
		r.t.Errorf("seed %d [%s], %d of this kind: %s\n%v\n  %v", k.seed, k.c.finding(k.d), k.times, s, k.c, k.d)
	}
	if len(all) > len(reduced) {
		seeds := ""
		for _, f := range all[len(reduced):min(len(all), len(reduced)+50)] {
			seeds += fmt.Sprintf(" %d", f.seed)
		}
		r.t.Errorf("also diverging:%s", seeds)
	}
}
