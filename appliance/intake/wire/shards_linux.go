package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"net"
	"runtime"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/decrypt"
)

// Flows that are taken late are spread over shards by a hash of their ends, so that
// take-overs scale with processors. A shard is a [lateListener]: a ring from the
// programs, a thread, a packet socket and tables of its own. Nothing but the decision on
// one flow has an order, and a flow stays with its shard. The programs spread, not a
// reader of one ring: a frame then crosses no second thread on its way, and is copied
// once.
//
// There is a shard for every second processor. In BenchmarkTakeOver a loop uses 70 of
// the 120 us of a flow whose session does nothing, and it runs before all else: the
// other half is needed for what is taken. Also, a thread that waits for its ring keeps
// one of the scheduler's processors for a while. With a shard for each of them, sessions
// waited for that, and the median answer came 6 % later.

// Bounds of all shards together.
const (
	maxShards  = 16       // as SHARDS of the programs
	ringOctets = 16 << 20 // of frames on their way to user space
	queued     = pendingFlows
)

// shardCount is how many shards a wire of this process has.
func shardCount(c Config) int {
	if c.Takeover == Accept {
		return 1 // its ring stays empty
	}
	return min((runtime.GOMAXPROCS(0)+1)/2, maxShards)
}

// shardLimits are what one shard may keep: an equal part of what all may.
type shardLimits struct {
	flows   int // held, and as many that wait for acknowledgements
	octets  int // of the frames of either
	banners int // flows
	queued  int // connections that wait for Accept
	ring    int // octets, a power of two
}

// limitsOf returns those of each of n shards.
func limitsOf(n int) shardLimits {
	return shardLimits{
		flows: pendingFlows / n, octets: pendingOctets / n, banners: bannerFlows / n, queued: queued / n,
		ring: 1 << (bits.Len(uint(ringOctets/n)) - 1),
	}
}

// openRings makes the rings of the shards and shows them to the programs.
func (p *program) openRings(outer *ebpf.MapSpec) error {
	for i := range outer.MaxEntries {
		ring, err := ebpf.NewMap(outer.InnerMap)
		if err == nil {
			p.rings = append(p.rings, ring)
			err = p.kernelMaps.Rings.Put(i, ring)
		}
		if err != nil {
			return fmt.Errorf("make ring of held frames: %w", err)
		}
	}
	return nil
}

// originLegs keeps what belongs to connections between the shard that took them and
// their sessions. Safe for concurrent use.
type originLegs struct {
	mu       sync.Mutex
	byClient map[*net.TCPConn]*originLeg
}

// originLeg is what belongs to a connection that Accept returns.
type originLeg struct {
	conn   *net.TCPConn
	link   decrypt.Link
	banner []byte // what the origin said before, if all of it was seen
}

func (h *originLegs) put(conn *net.TCPConn, k *originLeg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.byClient[conn] = k
}

// take hands over what belongs to a connection, once.
func (h *originLegs) take(conn *net.TCPConn) *originLeg {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.byClient[conn]
	delete(h.byClient, conn)
	return k
}

// openShards makes the listeners of a late intake. What was made before an error is
// in w.accepting.
func (w *wire) openShards(o intake.Options) error {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("intake", w.name)
	w.originLegs = &originLegs{byClient: make(map[*net.TCPConn]*originLeg)}
	for i, m := range w.program.rings {
		ring, err := ringbuf.NewReader(m)
		if err != nil {
			return fmt.Errorf("open ring of held frames: %w", err)
		}
		injector, err := openInjector(w.namespace, w.indexes)
		if err != nil {
			return errors.Join(err, ring.Close())
		}
		b := limitsOf(len(w.program.rings))
		l := &lateListener{
			name: w.name, namespace: w.namespace, program: w.program, ring: ring, injector: injector, legs: w.originLegs,
			decide: w.config.Decide, holdOnClose: w.config.Down == intake.DownBlock, holdFailed: w.config.Down == intake.DownBlock || !w.config.Open,
			replaced: w.replaced, log: log, counters: &w.counters, addr: w.lookupListeners[0].Addr(), limits: b,
			held: make(map[kernelTuple]*heldFlow), passing: passingFlows{limits: b}, banners: banners{limit: b.banners},
		}
		w.startHeartbeat(&l.loopHeartbeat, i)
		l.startLoop()
		w.accepting = append(w.accepting, l)
	}
	return nil
}
