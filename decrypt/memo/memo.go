// Package memo holds values by key in bounded memory that its owners share fairly: an
// owner with any number of keys pushes out its own.
package memo

import (
	"container/list"
	"iter"
)

// Limits bound a [Memo].
type Limits struct {
	Entries int   // of all owners, at least 1
	Each    int   // of one owner, at least 1
	Cost    int64 // of all, in a unit of the user's; 0: no bound

	EachCost int64 // of one owner; 0: no bound
}

// Memo holds values by key, in the order of their last use. A value that has no place
// any more goes: of the owner who adds one if that owner has its part, else of anybody,
// the one used longest ago first. It is not safe for concurrent use.
type Memo[K, O comparable, V any] struct {
	Limits Limits        // of what is added from now on
	Spared func(*V) bool // such values are never pushed out; nil: none

	entries map[K]*entry[K, O, V]
	order   list.List             // of *entry, used last first
	owners  map[O]*share[K, O, V] // none is empty
	cost    int64
}

// share is what one owner has.
type share[K, O comparable, V any] struct {
	order list.List // of *entry, used last first
	cost  int64
}

type entry[K, O comparable, V any] struct {
	key        K
	owner      O
	value      V
	cost       int64
	all, among *list.Element // in order, and among those of its owner
}

// Len returns the number of entries.
func (m *Memo[K, O, V]) Len() int { return len(m.entries) }

// Cost returns the summed cost of all entries.
func (m *Memo[K, O, V]) Cost() int64 { return m.cost }

// Find returns the value at k, nil if there is none. It is valid until it is removed or
// pushed out. Find is no use, see [Memo.Touch].
func (m *Memo[K, O, V]) Find(k K) *V {
	if e := m.entries[k]; e != nil {
		return &e.value
	}
	return nil
}

// Touch makes the entry at k the one used last, of all and of its owner.
func (m *Memo[K, O, V]) Touch(k K) {
	if e := m.entries[k]; e != nil {
		m.order.MoveToFront(e.all)
		m.owners[e.owner].order.MoveToFront(e.among)
	}
}

// Put adds a value at k, in place of an older one. It returns what had to go for it, the
// value itself if there was nothing to push out.
func (m *Memo[K, O, V]) Put(k K, owner O, cost int64, v V) (out []V) {
	m.Remove(k)
	if exceeds(cost, m.Limits.Cost) || exceeds(cost, m.Limits.EachCost) {
		return append(out, v)
	}
	for m.owners[owner].full(&m.Limits, cost) {
		if !m.push(&m.owners[owner].order, nil, &out) {
			return append(out, v)
		}
	}
	for len(m.entries) >= m.Limits.Entries || exceeds(m.cost+cost, m.Limits.Cost) {
		if !m.push(&m.order, nil, &out) {
			return append(out, v)
		}
	}
	if m.entries == nil {
		m.entries, m.owners = make(map[K]*entry[K, O, V]), make(map[O]*share[K, O, V])
	}
	own := m.owners[owner]
	if own == nil {
		own = new(share[K, O, V])
		m.owners[owner] = own
	}
	e := &entry[K, O, V]{key: k, owner: owner, value: v, cost: cost}
	e.all, e.among = m.order.PushFront(e), own.order.PushFront(e)
	m.entries[k] = e
	m.cost += cost
	own.cost += cost
	return out
}

// full reports whether an owner has no place for an entry of that cost.
func (s *share[K, O, V]) full(l *Limits, cost int64) bool {
	return s != nil && (s.order.Len() >= l.Each || exceeds(s.cost+cost, l.EachCost))
}

// exceeds compares a cost with a limit, 0 for none.
func exceeds(cost, limit int64) bool { return limit > 0 && cost > limit }

// Charge sets the cost of the entry at k, which exists, and returns what had to go for
// it: others, of its owner or of anybody, used longest ago first.
func (m *Memo[K, O, V]) Charge(k K, cost int64) (out []V) {
	e := m.entries[k]
	own := m.owners[e.owner]
	m.cost += cost - e.cost
	own.cost += cost - e.cost
	e.cost = cost
	for exceeds(own.cost, m.Limits.EachCost) && m.push(&own.order, e, &out) {
	}
	for exceeds(m.cost, m.Limits.Cost) && m.push(&m.order, e, &out) {
	}
	return out
}

// push removes the entry of a list that was used longest ago, adds it to out, and
// reports whether there was one. It spares kept.
func (m *Memo[K, O, V]) push(l *list.List, kept *entry[K, O, V], out *[]V) bool {
	for at := l.Back(); at != nil; at = at.Prev() {
		e := at.Value.(*entry[K, O, V])
		if e == kept || m.Spared != nil && m.Spared(&e.value) {
			continue
		}
		*out = append(*out, e.value)
		m.Remove(e.key)
		return true
	}
	return false
}

// Remove forgets k.
func (m *Memo[K, O, V]) Remove(k K) {
	e := m.entries[k]
	if e == nil {
		return
	}
	delete(m.entries, k)
	m.order.Remove(e.all)
	own := m.owners[e.owner]
	own.order.Remove(e.among)
	if own.order.Len() == 0 {
		delete(m.owners, e.owner)
	}
	own.cost -= e.cost
	m.cost -= e.cost
}

// All returns the entries, those used last first. The loop may remove the one at hand.
func (m *Memo[K, O, V]) All() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		for at := m.order.Front(); at != nil; {
			e := at.Value.(*entry[K, O, V])
			at = at.Next()
			if !yield(e.key, &e.value) {
				return
			}
		}
	}
}
