package feed

import (
	"hash/maphash"
	"net/netip"
	"sync"

	"github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/mirror"
)

// pairs are the endpoints of the conversations that are open on a sink. Where ports are
// mapped, two sessions of one client may have the same pair; the second one gets another
// client port. Safe for concurrent use. It holds one entry for each open session.
type pairs struct {
	seed   maphash.Seed
	shards [64]pairShard
	spare  *http2.Ports // client ports in place of those that are taken
}

// pairShard is the pairs with one hash.
type pairShard struct {
	mu   sync.Mutex
	open map[pair]int // conversations
}

// pair is a client and an origin, as recorders see them.
type pair struct{ client, origin netip.AddrPort }

// newPairs takes the client ports that it shares with streams of HTTP/2.
func newPairs(spare *http2.Ports) *pairs {
	return &pairs{seed: maphash.MakeSeed(), spare: spare}
}

func (p *pairs) shard(k pair) *pairShard {
	return &p.shards[maphash.Comparable(p.seed, k)%uint64(len(p.shards))]
}

// take notes a conversation that will be shown as seen, and returns the client's
// endpoint for it. substitute says that its port is another, to be given back.
func (p *pairs) take(seen mirror.Flow) (client netip.AddrPort, substitute bool) {
	k := pair{seen.Client, seen.Origin}
	s := p.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[k] == 0 {
		if s.open == nil {
			s.open = make(map[pair]int)
		}
		s.open[k] = 1
		return seen.Client, false
	}
	if port, mine := p.spare.Take(seen); mine {
		return netip.AddrPortFrom(seen.Client.Addr(), port), true
	}
	s.open[k]++
	return seen.Client, false
}

// give takes back what take returned, for the flow as it was shown.
func (p *pairs) give(seen mirror.Flow, substitute bool) {
	if substitute {
		p.spare.Give(seen, seen.Client.Port())
		return
	}
	k := pair{seen.Client, seen.Origin}
	s := p.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[k]--; s.open[k] <= 0 {
		delete(s.open, k)
	}
}
