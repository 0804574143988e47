package decrypt

import (
	"net/netip"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/memo"
)

// Limits of a [memory]. Ten clients at least share it.
const (
	memoryEntries = 10_000
	memoryOfEach  = memoryEntries / 10 // of a client address (of IPv6, its /64)
)

// memory remembers keys for a while, because of what clients did. The zero value
// remembers none. It is safe for concurrent use.
type memory[K comparable] struct {
	mu   sync.Mutex
	keys memo.Memo[K, netip.Addr, time.Time] // until when
}

// known tells whether k is remembered.
func (m *memory[K]) known(k K, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	until := m.find(k, now)
	if until != nil {
		m.keys.Touch(k)
	}
	return until != nil
}

// find returns until when k is remembered, nil if it is not.
func (m *memory[K]) find(k K, now time.Time) *time.Time {
	until := m.keys.Find(k)
	if until != nil && !now.Before(*until) {
		m.keys.Remove(k)
		return nil
	}
	return until
}

// add remembers k for a time, because of what a client did. A key that is
// remembered already stays with its client.
func (m *memory[K]) add(k K, client netip.Addr, now time.Time, life time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until := m.find(k, now); until != nil {
		*until = now.Add(life)
		m.keys.Touch(k)
		return
	}
	m.keys.Limits = memo.Limits{Entries: memoryEntries, Each: memoryOfEach}
	m.keys.Put(k, memo.Client(client), 0, now.Add(life))
}
