package http2

import (
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"

	"github.com/clearspan/clearspan/mirror"
)

// Client ports of streams are from a range that the usual systems do not give to
// clients (Linux begins at 32768, others at 49152), but for those by which
// tshark would choose a dissector.
const (
	firstPort  = 20480
	portCount  = 30000 - firstPort
	shardCount = 256
)

var unfitPorts = []uint16{21064, 22222, 24800, 27017, 29418}

// Ports gives client ports to streams, in turn, so that a port comes again late.
// No two open streams of the same client and origin share one, unless more than
// 9000 are open. Safe for concurrent use; at most 320 KiB.
type Ports struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

// shard is the ports of the clients and origins with one hash.
type shard struct {
	mu   sync.Mutex
	next uint16
	used *[(portCount + 63) / 64]uint64 // nil until the first is taken
}

// NewPorts returns ports of which none is taken.
func NewPorts() *Ports { return &Ports{seed: maphash.MakeSeed()} }

// pair is what ports are distinct for.
type pair struct {
	client netip.Addr
	origin netip.AddrPort
}

func (p *Ports) shard(flow mirror.Flow) *shard {
	key := pair{flow.Client.Addr().Unmap(), flow.Origin}
	return &p.shards[maphash.Comparable(p.seed, key)%shardCount]
}

// Take returns a port for a stream of flow, and whether it is to be given back:
// one that is not is shared.
func (p *Ports) Take(flow mirror.Flow) (port uint16, mine bool) {
	s := p.shard(flow)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = new([(portCount + 63) / 64]uint64)
		s.next = uint16(rand.IntN(portCount))
	}
	for range portCount {
		at := s.next
		s.next = (s.next + 1) % portCount
		port = firstPort + at
		if s.used[at/64]&(1<<(at%64)) != 0 || port == flow.Client.Port() || slices.Contains(unfitPorts, port) {
			continue
		}
		s.used[at/64] |= 1 << (at % 64)
		return port, true
	}
	s.next = (s.next + 1) % portCount
	return firstPort + s.next, false
}

// Give returns a port that Take said is to be given back.
func (p *Ports) Give(flow mirror.Flow, port uint16) {
	s := p.shard(flow)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := port - firstPort
	s.used[at/64] &^= 1 << (at % 64)
}

func withPort(a netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), port)
}
