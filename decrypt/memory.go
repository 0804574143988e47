package decrypt

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// Bounds of a [memory]. Ten clients at least share it.
const (
	memoryEntries = 10_000
	memoryOfEach  = memoryEntries / 10 // of a client address (of IPv6, its /64)
)

// memory remembers keys for a while. It forgets first what was used the longest
// time ago: of a client's own, if that one has its part, else of anybody. The zero
// value remembers none. It is safe for concurrent use.
type memory[K comparable] struct {
	mu     sync.Mutex
	items  map[K]*memorized[K]
	order  list.List // of *memorized[K], used last first
	owners map[netip.Addr]*list.List
}

// memorized is a key that is remembered.
type memorized[K comparable] struct {
	key        K
	owner      netip.Addr
	until      time.Time
	all, among *list.Element // in order, and among those of its owner
}

// known tells whether k is remembered.
func (m *memory[K]) known(k K, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.items[k]
	if i == nil {
		return false
	}
	if !now.Before(i.until) {
		m.forget(i)
		return false
	}
	m.touch(i)
	return true
}

// add remembers k for a time, because of what a client did. A key that is
// remembered already stays with the client that it is of.
func (m *memory[K]) add(k K, client netip.Addr, now time.Time, life time.Duration) {
	owner := clientKey(client)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items, m.owners = make(map[K]*memorized[K]), make(map[netip.Addr]*list.List)
	}
	if i := m.items[k]; i != nil {
		if now.Before(i.until) {
			i.until = now.Add(life)
			m.touch(i)
			return
		}
		m.forget(i)
	}
	if own := m.owners[owner]; own != nil && own.Len() >= memoryOfEach {
		m.forget(own.Back().Value.(*memorized[K]))
	} else if len(m.items) >= memoryEntries {
		m.forget(m.order.Back().Value.(*memorized[K]))
	}
	own := m.owners[owner]
	if own == nil {
		own = list.New()
		m.owners[owner] = own
	}
	i := &memorized[K]{key: k, owner: owner, until: now.Add(life)}
	i.all, i.among = m.order.PushFront(i), own.PushFront(i)
	m.items[k] = i
}

func (m *memory[K]) touch(i *memorized[K]) {
	m.order.MoveToFront(i.all)
	m.owners[i.owner].MoveToFront(i.among)
}

func (m *memory[K]) forget(i *memorized[K]) {
	delete(m.items, i.key)
	m.order.Remove(i.all)
	if own := m.owners[i.owner]; own.Len() > 1 {
		own.Remove(i.among)
	} else {
		delete(m.owners, i.owner)
	}
}
