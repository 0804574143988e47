package conformance

import (
	"bytes"
	"hash/maphash"
)

// key identifies a conversation, whatever the direction: a is less than b.
type key struct {
	a, b endpoint
	vlan uint16
}

func keyOf(p *packet) key {
	order := bytes.Compare(p.source.addr[:], p.dest.addr[:])
	if order < 0 || order == 0 && p.source.port < p.dest.port {
		return key{p.source, p.dest, p.vlan}
	}
	return key{p.dest, p.source, p.vlan}
}

// table holds the conversations that are followed, in the order of their last
// frame, and remembers which ones it gave up.
type table struct {
	limit    int
	byKey    map[key]*conversation
	order    conversation // ring: order.newer is the oldest, order.older the newest
	seed     maphash.Seed
	gone     []uint64 // Bloom filter of the conversations given up; nil: none yet
	free     *ring    // rings that are not in use
	rings    int      // made so far
	maxRings int
}

// evictedBits is the binary logarithm of the size of the filter: 1 MiB.
const evictedBits = 23

func (t *table) init(limit int) {
	t.limit, t.byKey, t.seed = limit, make(map[key]*conversation), maphash.MakeSeed()
	t.order.newer, t.order.older = &t.order, &t.order
	t.maxRings = min(2*limit, maxRings)
}

// insert adds v as the newest. The caller has made room.
func (t *table) insert(v *conversation) {
	t.byKey[v.key] = v
	t.link(v)
}

func (t *table) link(v *conversation) {
	v.older, v.newer = t.order.older, &t.order
	v.older.newer, v.newer.older = v, v
}

// touch makes v the newest.
func (t *table) touch(v *conversation) {
	if t.order.older == v {
		return
	}
	v.older.newer, v.newer.older = v.newer, v.older
	t.link(v)
}

// remove takes v out.
func (t *table) remove(v *conversation) {
	delete(t.byKey, v.key)
	v.older.newer, v.newer.older = v.newer, v.older
}

// oldest returns the conversation that is quiet for longest, nil if there is none.
func (t *table) oldest() *conversation {
	if t.order.newer == &t.order {
		return nil
	}
	return t.order.newer
}

// markEvicted remembers that k was given up.
func (t *table) markEvicted(k key) {
	if t.gone == nil {
		t.gone = make([]uint64, 1<<evictedBits/64)
	}
	for _, bit := range t.bits(k) {
		t.gone[bit/64] |= 1 << (bit % 64)
	}
}

// wasEvicted reports whether k was given up before. It may err, and say so of
// a conversation that was not, more often the more were: one in 30 after a
// million.
func (t *table) wasEvicted(k key) bool {
	if t.gone == nil {
		return false
	}
	for _, bit := range t.bits(k) {
		if t.gone[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

// bits are those that stand for k in the filter.
func (t *table) bits(k key) (bits [3]uint64) {
	h := maphash.Comparable(t.seed, k)
	for i := range bits {
		bits[i] = h & (1<<evictedBits - 1)
		h >>= 20
	}
	return bits
}
