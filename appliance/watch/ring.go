package watch

import "sync"

// ring holds the last sessions that ended.
type ring struct {
	mu   sync.Mutex
	rows []Row
	next uint64 // rows that were added
}

func newRing(size int) *ring { return &ring{rows: make([]Row, 0, size)} }

// add adds a row, in the place of the oldest one if the ring is full.
func (g *ring) add(r *Row) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.rows) < cap(g.rows) {
		g.rows = append(g.rows, *r)
	} else {
		g.rows[g.next%uint64(len(g.rows))] = *r
	}
	g.next++
}

// copyChunk is how many rows are copied at a time.
const copyChunk = 256

// before returns rows that were added before number `from`, the newest first, with the
// number of the first one; none if there are no older ones.
func (g *ring) before(from uint64, buf []Row) (rows []Row, first uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from = min(from, g.next)
	oldest := g.next - uint64(len(g.rows))
	for n := from; n > oldest && len(buf) < copyChunk; n-- {
		buf = append(buf, g.rows[(n-1)%uint64(len(g.rows))])
	}
	return buf, from - 1
}

// get returns the row of a session.
func (g *ring) get(id string) (Row, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.rows {
		if g.rows[i].Session == id {
			return g.rows[i], true
		}
	}
	return Row{}, false
}

// total returns how many rows were added, and how many are kept.
func (g *ring) total() (added uint64, kept int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.next, len(g.rows)
}
