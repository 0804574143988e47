package certs

import "time"

// lru is a map bounded by a number of entries and by their summed cost. The
// entry used longest ago goes first; an expired one is not found any more. It
// is not safe for concurrent use.
type lru[V any] struct {
	maxEntries int
	maxCost    int64

	cost    int64
	entries map[digest]*lruEntry[V]
	ring    lruEntry[V] // next is the entry used last, prev the one to go first
	evicted uint64      // entries that went for want of room
}

type lruEntry[V any] struct {
	key        digest
	value      V
	cost       int64
	expires    time.Time
	prev, next *lruEntry[V]
}

// newLRU takes limits of at least 1. A single entry that costs more than
// maxCost is not kept.
func newLRU[V any](maxEntries int, maxCost int64) *lru[V] {
	c := &lru[V]{maxEntries: maxEntries, maxCost: maxCost, entries: make(map[digest]*lruEntry[V])}
	c.ring.prev, c.ring.next = &c.ring, &c.ring
	return c
}

// get returns the value of key unless it has expired at now. It does not
// allocate.
func (c *lru[V]) get(key digest, now time.Time) (V, bool) {
	e, ok := c.entries[key]
	if !ok {
		var none V
		return none, false
	}
	if !now.Before(e.expires) {
		c.remove(e)
		var none V
		return none, false
	}
	e.unlink()
	c.pushFront(e)
	return e.value, true
}

// put stores value until expires, in the place of an older value of key.
func (c *lru[V]) put(key digest, value V, cost int64, expires time.Time) {
	if e, ok := c.entries[key]; ok {
		c.remove(e)
	}
	if cost > c.maxCost {
		return
	}
	for len(c.entries) >= c.maxEntries || c.cost+cost > c.maxCost {
		c.remove(c.ring.prev)
		c.evicted++
	}
	e := &lruEntry[V]{key: key, value: value, cost: cost, expires: expires}
	c.entries[key] = e
	c.cost += cost
	c.pushFront(e)
}

// len counts entries, those that have expired but were not asked for since
// included.
func (c *lru[V]) len() int { return len(c.entries) }

func (c *lru[V]) remove(e *lruEntry[V]) {
	e.unlink()
	delete(c.entries, e.key)
	c.cost -= e.cost
}

func (c *lru[V]) pushFront(e *lruEntry[V]) {
	e.prev, e.next = &c.ring, c.ring.next
	e.prev.next, e.next.prev = e, e
}

func (e *lruEntry[V]) unlink() {
	e.prev.next, e.next.prev = e.next, e.prev
	e.prev, e.next = nil, nil
}
