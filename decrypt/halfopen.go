package decrypt

import (
	"net/netip"
	"sync"

	"github.com/clearspan/clearspan/decrypt/memo"
)

// halfOpen counts the sessions that have not come to say anything yet, by client.
// The zero value counts none. Safe for concurrent use.
type halfOpen struct {
	mu sync.Mutex
	by map[netip.Addr]int // no zeroes; as many entries as there are such sessions at most
}

// take counts one more, unless the client has as many as it may.
func (p *halfOpen) take(client netip.Addr, limit int) bool {
	key := memo.Client(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[key] >= limit {
		return false
	}
	if p.by == nil {
		p.by = make(map[netip.Addr]int)
	}
	p.by[key]++
	return true
}

// release takes back what take has counted.
func (p *halfOpen) release(client netip.Addr) {
	key := memo.Client(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[key]--; p.by[key] <= 0 {
		delete(p.by, key)
	}
}
