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
}

// Memo holds values by key, in the order of their last use. A value that has no place
// any more goes: of the owner who adds one if that owner has its part, else of anybody,
// the one used longest ago first. It is not safe for concurrent use.
type Memo[K, O comparable, V any] struct {
	Limits Limits        // of what is added from now on
	Spared func(*V) bool // such values are never pushed out; nil: none

	entries map[K]*entry[K, O, V]
	order   list.List        // of *entry, used last first
	owners  map[O]*list.List // the same by owner; none is empty
	cost    int64
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
		m.owners[e.owner].MoveToFront(e.among)
	}
}

// Put adds a value at k, in place of an older one. It returns what had to go for it, the
// value itself if there was nothing to push out.
func (m *Memo[K, O, V]) Put(k K, owner O, cost int64, v V) (out []V) {
	m.Remove(k)
	if m.Limits.Cost > 0 && cost > m.Limits.Cost {
		return append(out, v)
	}
	if m.entries == nil {
		m.entries, m.owners = make(map[K]*entry[K, O, V]), make(map[O]*list.List)
	}
	own := func() *list.List { return m.owners[owner] }
	for own() != nil && own().Len() >= m.Limits.Each {
		if !m.push(own(), nil, &out) {
			return append(out, v)
		}
	}
	for len(m.entries) >= m.Limits.Entries || m.over(cost) {
		if !m.push(&m.order, nil, &out) {
			return append(out, v)
		}
	}
	e := &entry[K, O, V]{key: k, owner: owner, value: v, cost: cost}
	if own() == nil {
		m.owners[owner] = list.New()
	}
	e.all, e.among = m.order.PushFront(e), own().PushFront(e)
	m.entries[k] = e
	m.cost += cost
	return out
}

// Charge sets the cost of the entry at k, which exists, and returns what had to go for
// it: others, used longest ago first.
func (m *Memo[K, O, V]) Charge(k K, cost int64) (out []V) {
	e := m.entries[k]
	m.cost += cost - e.cost
	e.cost = cost
	for m.over(0) && m.push(&m.order, e, &out) {
	}
	return out
}

// over tells whether so much more would exceed the cost.
func (m *Memo[K, O, V]) over(more int64) bool {
	return m.Limits.Cost > 0 && m.cost+more > m.Limits.Cost
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
	if own := m.owners[e.owner]; own.Len() > 1 {
		own.Remove(e.among)
	} else {
		delete(m.owners, e.owner)
	}
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
