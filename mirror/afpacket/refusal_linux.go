package afpacket

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/mirror/internal/link"
)

// refusals finds out how much of a refused super-segment went out all the same. A
// device without a queue (veth) takes segment by segment, and the kernel tells
// the sender only that the last one was dropped. How many went before, the
// device's counter says: it is compared with what this sink has claimed, at a
// moment when none of its calls is under way.
//
// Frames that others send on the same device, the kernel's own neighbour
// discovery say, would be taken for ours; the comparison starts afresh with
// every poll to keep that window small.
type refusals struct {
	claimed atomic.Uint64 // segments that calls reported as taken, since baseline
	refused atomic.Uint64 // segments that calls reported as refused, at least those that the device dropped

	mu       sync.Mutex // guards what follows
	baseline link.Counters
	pending  *refusal // those that wait to be resolved
}

// device tells its counters; see link.Watcher.
type device interface {
	Read() (link.Counters, error)
}

// refusal is a super-segment that the kernel refused, perhaps in part.
type refusal struct {
	segments int
	taken    int // once resolved: how many went out, from the first on
	resolved bool
	next     *refusal
}

// add notes a refusal. The caller must keep calls of resolve away until the
// call that was refused, and what it claims, are complete.
func (t *refusals) add(r *refusal, segments int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*r = refusal{segments: segments, next: t.pending}
	t.pending = r
}

// resolve decides all refusals. No call may be under way.
func (t *refusals) resolve(d device) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending == nil {
		return
	}
	refused := 0
	for r := t.pending; r != nil; r = r.next {
		refused += r.segments
	}
	surplus := min(t.sentUnclaimed(d, refused), refused)
	for r := t.pending; r != nil; r = r.next {
		// Never all: the last one was dropped.
		r.taken, r.resolved = min(surplus, r.segments-1), true
		surplus -= r.taken
		t.refused.Add(uint64(r.segments - r.taken))
	}
	t.pending = nil
	t.setBaseline(d)
}

// sentUnclaimed returns how many more frames the device sent than was claimed, when
// refused more were offered. It waits a moment for the device to have counted
// them all: where the far end does it (veth with generic receive offload) that
// is not at once.
func (t *refusals) sentUnclaimed(d device, refused int) int {
	n := 0
	for range 4 {
		c, err := d.Read()
		if err != nil {
			return 0
		}
		claimed := int(t.claimed.Load())
		sent, dropped := int(c.Packets-t.baseline.Packets), int(c.Dropped-t.baseline.Dropped)
		n = max(0, sent-claimed)
		if sent+dropped >= claimed+refused {
			break
		}
		time.Sleep(100 * time.Microsecond)
	}
	return n
}

// rebaseline is setBaseline where no refusal waits. It returns how many segments the
// device dropped without that a call was told: those in the middle of a
// super-segment whose last one went out. No call may be under way.
func (t *refusals) rebaseline(d device) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending != nil {
		return 0
	}
	base, refused := t.baseline, t.refused.Load()
	t.setBaseline(d)
	return advanced(base.Dropped+refused, t.baseline.Dropped)
}

// advanced returns by how much a counter went from one value to another.
func advanced(from, to uint64) uint64 { return max(from, to) - from }

// setBaseline starts the comparison afresh. No call may be under way.
func (t *refusals) setBaseline(d device) {
	if c, err := d.Read(); err == nil {
		t.baseline = c
		t.claimed.Store(0)
		t.refused.Store(0)
	}
}
