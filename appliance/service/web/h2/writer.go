package h2

import "sync"

// write writes what is queued until the leg ends. It returns nil when it was
// closed in order.
func (x *Session) write(c *conn) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		for x.err == nil && (!c.open || c.out.Len() == 0) {
			if c.ended && c.out.Len() == 0 {
				x.mu.Unlock()
				err := c.end.CloseWrite()
				x.mu.Lock()
				return err
			}
			c.wake.Wait()
		}
		if x.err != nil {
			return nil
		}
		p := c.out.p
		c.out.p = nil
		if len(p) > maxQueue {
			c.announce()
			c.cond.Broadcast()
			x.hurry(1 - c.kind)
			x.resume(1 - c.kind)
		}
		x.mu.Unlock()
		_, err := c.end.Write(p)
		x.mu.Lock()
		if cap(p) == queueBuffer {
			queueBuffers.Put((*[queueBuffer]byte)(p[:queueBuffer]))
		}
		if err != nil {
			return err
		}
	}
}

// room waits until more may be passed on to l. The caller holds the lock.
func (x *Session) room(c *conn) {
	for x.err == nil && c.behind() {
		x.lazy = false
		c.kick()
		c.cond.Wait()
	}
}

// queueBuffer is the memory of a queue; one that grows beyond is not kept.
const queueBuffer = maxQueue + 2*maxFrame

var queueBuffers = sync.Pool{New: func() any { return new([queueBuffer]byte) }}

// queue collects frames. It has no memory while it is empty.
type queue struct{ p []byte }

// Write implements io.Writer.
func (q *queue) Write(p []byte) (int, error) {
	if q.p == nil {
		q.p = queueBuffers.Get().(*[queueBuffer]byte)[:0]
	}
	q.p = append(q.p, p...)
	return len(p), nil
}

// Len returns how many octets wait.
func (q *queue) Len() int { return len(q.p) }
