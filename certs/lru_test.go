package certs

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The cache against a slice in order of use.
func TestLRU(t *testing.T) {
	type entry struct {
		key, value, cost, expires int
	}
	at := func(n int) time.Time { return testNow.Add(time.Duration(n) * time.Second) }
	rapid.Check(t, func(t *rapid.T) {
		maxEntries, maxCost := rapid.IntRange(1, 5).Draw(t, "entries"), rapid.IntRange(1, 30).Draw(t, "cost")
		cache := newLRU[int](maxEntries, int64(maxCost))
		var model []entry // last used last
		find := func(key int) int {
			for i, e := range model {
				if e.key == key {
					return i
				}
			}
			return -1
		}
		remove := func(i int) { model = append(model[:i:i], model[i+1:]...) }
		sum := func() (cost int) {
			for _, e := range model {
				cost += e.cost
			}
			return cost
		}
		for now := range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := rapid.IntRange(0, 8).Draw(t, "key")
			i := find(key)
			if rapid.Bool().Draw(t, "get") {
				value, ok := cache.get(digest{byte(key)}, at(now))
				want := i >= 0 && now < model[i].expires
				if ok != want || ok && value != model[i].value {
					t.Fatalf("get %d: %d, %v, model %v", key, value, ok, model)
				}
				if i >= 0 {
					e := model[i]
					remove(i)
					if ok {
						model = append(model, e)
					}
				}
			} else {
				e := entry{key, now, rapid.IntRange(1, 12).Draw(t, "octets"), now + rapid.IntRange(0, 20).Draw(t, "life")}
				cache.put(digest{byte(key)}, e.value, int64(e.cost), at(e.expires))
				if i >= 0 {
					remove(i)
				}
				if e.cost <= maxCost {
					for len(model) >= maxEntries || sum()+e.cost > maxCost {
						remove(0)
					}
					model = append(model, e)
				}
			}
			if cache.len() != len(model) || cache.cost != int64(sum()) {
				t.Fatalf("%d entries of %d octets, model %v", cache.len(), cache.cost, model)
			}
		}
	})
}
