package h2

import (
	"sync"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// write writes what is queued until the connection ends. It returns nil when it was
// closed in order.
func (x *Session) write(c *conn) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		for x.err == nil && (!c.open || c.out.len() == 0) {
			if c.ended && c.out.len() == 0 {
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
		p := c.out.take()
		if len(p) > maxQueue {
			c.announce()
			c.cond.Broadcast()
			x.hurry(1 - c.kind)
			x.resume(1 - c.kind)
		}
		x.mu.Unlock()
		_, err := c.end.Write(p)
		x.mu.Lock()
		releaseQueue(p)
		if err != nil {
			return err
		}
	}
}

// room waits until more may be passed on to c. The caller holds the lock.
func (x *Session) room(c *conn) {
	for x.err == nil && c.behind() {
		x.lazy = false
		c.kick()
		c.cond.Wait()
	}
}

// kick has what is queued written, unless its reader is about to add more.
func (c *conn) kick() {
	if !c.session.lazy || c.out.len() > maxQueue/2 {
		c.wake.Signal()
	}
}

// The methods below queue a frame. The caller holds the lock.

// headers queues a header block.
func (c *conn) headers(id uint32, list []hpack.HeaderField, end bool) {
	c.block.Reset()
	for _, f := range list {
		c.coder.WriteField(f)
	}
	c.out.p = http2.AppendHeaders(c.out.buffer(), id, end, c.block.Bytes())
	c.kick()
}

// data queues content.
func (c *conn) data(id uint32, end bool, p []byte) {
	c.out.p = http2.AppendData(c.out.buffer(), id, end, p)
	c.kick()
}

// reset queues the end of a stream.
func (c *conn) reset(id uint32, code http2.Code) {
	c.out.p = http2.AppendRSTStream(c.out.buffer(), id, code)
	c.kick()
}

// update queues the opening of a window by n, 0 < n <= maxWindow.
func (c *conn) update(id uint32, n int64) {
	c.out.p = http2.AppendWindowUpdate(c.out.buffer(), id, uint32(n))
	c.kick()
}

// queueBuffer is the memory of a queue; one that grows beyond is not kept.
const queueBuffer = maxQueue + 2*http2.DefaultFrame

var queueBuffers = sync.Pool{New: func() any { return new([queueBuffer]byte) }}

// queue collects frames. It has no memory while it is empty.
type queue struct{ p []byte }

// buffer returns p with memory behind it.
func (q *queue) buffer() []byte {
	if q.p == nil {
		q.p = queueBuffers.Get().(*[queueBuffer]byte)[:0]
	}
	return q.p
}

// take empties the queue. What it held is to be released.
func (q *queue) take() []byte {
	p := q.p
	q.p = nil
	return p
}

// len returns how many octets wait.
func (q *queue) len() int { return len(q.p) }

func releaseQueue(p []byte) {
	if cap(p) == queueBuffer {
		queueBuffers.Put((*[queueBuffer]byte)(p[:queueBuffer]))
	}
}
