package pcapip

import "sync"

const (
	chunkSize = 128 << 10 // octets; room for the longest packet record
	// spareChunks is how many empty chunks a queue keeps for later; beyond them
	// memory is given back when a backlog is gone.
	spareChunks = 16
)

// queue holds packet records between Send and one reader's writer, in chunks
// of whole records. It is safe for concurrent use by any number of senders and
// one writer.
type queue struct {
	limit int           // chunks in all, that of the writer included
	ready chan struct{} // capacity 1: there is something, or the queue is closed

	mu     sync.Mutex
	chunks [][]byte // oldest first; only the last takes records
	lent   []byte   // the writer has it
	spare  [][]byte
	closed bool // takes nothing more
}

func newQueue(octets int) *queue {
	return &queue{limit: octets / chunkSize, ready: make(chan struct{}, 1)}
}

// room returns a chunk with space for n more octets, or nil if the queue is
// full. The caller holds q.mu and stores what it appended with put.
func (q *queue) room(n int) []byte {
	if last := len(q.chunks) - 1; last >= 0 && len(q.chunks[last])+n <= chunkSize {
		return q.chunks[last]
	}
	used := len(q.chunks)
	if q.lent != nil {
		used++
	}
	if used >= q.limit {
		return nil
	}
	q.chunks = append(q.chunks, q.empty())
	return q.chunks[len(q.chunks)-1]
}

// put stores the chunk that room returned, longer now. q.mu is held.
func (q *queue) put(chunk []byte) { q.chunks[len(q.chunks)-1] = chunk }

func (q *queue) empty() []byte {
	if last := len(q.spare) - 1; last >= 0 {
		chunk := q.spare[last]
		q.spare = q.spare[:last]
		return chunk
	}
	return make([]byte, 0, chunkSize)
}

// signal wakes the writer.
func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// next takes the previous chunk back and lends the writer the oldest one. It
// waits until there is one; nil means that the queue is closed and empty.
func (q *queue) next() []byte {
	for {
		q.mu.Lock()
		if q.lent != nil {
			if len(q.spare) < spareChunks {
				q.spare = append(q.spare, q.lent[:0])
			}
			q.lent = nil
		}
		if len(q.chunks) > 0 {
			q.lent = q.chunks[0]
			last := copy(q.chunks, q.chunks[1:])
			q.chunks[last] = nil
			q.chunks = q.chunks[:last]
		}
		lent, closed := q.lent, q.closed
		q.mu.Unlock()
		if lent != nil || closed {
			return lent
		}
		<-q.ready
	}
}

// close makes the queue take nothing more. What it holds can still be read,
// unless discard is set. The first call reports true.
func (q *queue) close(discard bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := !q.closed
	q.closed = true
	if discard {
		q.chunks, q.spare = nil, nil
	}
	q.signal()
	return first
}

// octets returns how many wait, those that the writer has included.
func (q *queue) octets() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.lent)
	for _, chunk := range q.chunks {
		n += len(chunk)
	}
	return uint64(n)
}
