package learn

import (
	"container/list"
	"net/netip"
)

// shelf holds values by key, in the order of their last use. Its size is bounded
// and so is each owner's part of it. It is not safe for concurrent use.
type shelf[V any] struct {
	items  map[key]*list.Element // of *item[V]
	order  list.List             // used last first
	owned  map[netip.Prefix]int
	spared func(*V) bool // those are never pushed out; nil: none
}

type item[V any] struct {
	key   key
	owner netip.Prefix
	value V
}

// find returns the value at k, nil if there is none.
func (s *shelf[V]) find(k key) *V {
	if e, ok := s.items[k]; ok {
		return &e.Value.(*item[V]).value
	}
	return nil
}

// touch makes k the one used last.
func (s *shelf[V]) touch(k key) {
	if e, ok := s.items[k]; ok {
		s.order.MoveToFront(e)
	}
}

// put adds a value at k, where none is. What has to go for it is returned: of
// the same owner if that one has each, else of anybody if there are most. With
// nothing to push out the value itself is returned.
func (s *shelf[V]) put(k key, by netip.Prefix, v V, most, each int) (out []V) {
	if s.items == nil {
		s.items, s.owned = make(map[key]*list.Element), make(map[netip.Prefix]int)
	}
	for s.owned[by] >= each || len(s.items) >= most {
		e := s.order.Back()
		for ; e != nil; e = e.Prev() {
			i := e.Value.(*item[V])
			if (s.owned[by] < each || i.owner == by) && (s.spared == nil || !s.spared(&i.value)) {
				break
			}
		}
		if e == nil {
			return append(out, v)
		}
		out = append(out, e.Value.(*item[V]).value)
		s.remove(e.Value.(*item[V]).key)
	}
	s.items[k] = s.order.PushFront(&item[V]{k, by, v})
	s.owned[by]++
	return out
}

// remove forgets k.
func (s *shelf[V]) remove(k key) {
	e, ok := s.items[k]
	if !ok {
		return
	}
	i := s.order.Remove(e).(*item[V])
	delete(s.items, k)
	if s.owned[i.owner]--; s.owned[i.owner] == 0 {
		delete(s.owned, i.owner)
	}
}
