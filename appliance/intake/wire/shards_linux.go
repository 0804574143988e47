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
// take-overs scale with processors. A shard is a [late]: a ring from the programs, a
// thread, a packet socket and tables of its own. Nothing but the decision on one flow
// has an order, and a flow stays with its shard. The programs spread, not a reader of
// one ring: a frame then crosses no second thread on its way, and is copied once.
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

// bounds are what one shard may keep: an equal part of what all may.
type bounds struct {
	flows     int // held, and as many that wait for acknowledgements
	octets    int // of the frames of either
	greetings int // flows
	queued    int // connections that wait for Accept
	ring      int // octets, a power of two
}

// boundsOf returns those of each of n shards.
func boundsOf(n int) bounds {
	return bounds{
		flows: pendingFlows / n, octets: pendingOctets / n, greetings: greetingFlows / n, queued: queued / n,
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

// handover keeps what belongs to connections between the shard that took them and
// their sessions. Safe for concurrent use.
type handover struct {
	mu    sync.Mutex
	taken map[*net.TCPConn]*taken
}

// taken is what belongs to a connection that Accept returns.
type taken struct {
	origin   *net.TCPConn
	link     decrypt.Link
	greeting []byte // what the origin said before, if all of it was seen
}

func (h *handover) put(conn *net.TCPConn, k *taken) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken[conn] = k
}

// claim hands over what belongs to a connection, once.
func (h *handover) claim(conn *net.TCPConn) *taken {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.taken[conn]
	delete(h.taken, conn)
	return k
}

// openShards makes what a late intake accepts from. What was made before an error is
// in w.accepting.
func (w *wire) openShards(o intake.Options) error {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With("intake", w.name)
	w.handover = &handover{taken: make(map[*net.TCPConn]*taken)}
	for i, m := range w.program.rings {
		ring, err := ringbuf.NewReader(m)
		if err != nil {
			return fmt.Errorf("open ring of held frames: %w", err)
		}
		replay, err := openReplayer(w.room, w.indexes)
		if err != nil {
			return errors.Join(err, ring.Close())
		}
		b := boundsOf(len(w.program.rings))
		l := &late{
			name: w.name, namespace: w.room, program: w.program, ring: ring, replay: replay, handover: w.handover,
			decide: w.config.Decide, block: w.config.Down == Block, keep: w.config.Down == Block || !w.config.Open,
			log: log, tally: &w.tally, addr: w.members[0].Addr(), bounds: b,
			pending: make(map[kernelTuple]*pending), passing: passings{bounds: b}, greetings: greetings{limit: b.greetings},
		}
		w.startPulse(&l.beater, i)
		l.begin()
		w.accepting = append(w.accepting, l)
	}
	return nil
}
