package decrypt

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// leg is one transport connection of a session and the net.Conn beneath its TLS
// connection. It reads as much as the socket holds in one system call, and
// collects what is written until flush.
//
// Reading is for one goroutine at a time, writing for any. While nothing is
// buffered a leg holds no buffer, also while it waits.
type leg struct {
	conn net.Conn
	raw  syscall.RawConn // nil when conn is no socket: waiting then holds a buffer

	in      []byte // buffer, nil while empty; in[r:w] is unread
	r, w    int
	large   bool  // take large buffers
	event   bool  // Read answers errAgain where it would wait
	drained bool  // the last read left the socket empty, as far as we know
	rerr    error // sticky end of reading
	trail   trail // of what Read gave before the relay

	wait   bool // arguments and result of tryRead
	again  bool
	tryFn  func(fd uintptr) bool
	closed sync.Once
	poked  atomic.Bool // a wait is to be given up

	mu      sync.Mutex    // guards the rest
	collect bool          // Write collects
	stall   time.Duration // how long a write may take, 0 for ever
	out     []byte        // collected, nil while empty
	rest    []byte        // argument and result of tryWrite
	werr    error
	writeFn func(fd uintptr) bool
}

// again tells crypto/tls that the socket is empty for now. Its Temporary method
// keeps crypto/tls from making the error sticky, so that reading goes on later
// exactly where it stopped.
type again struct{}

func (again) Error() string   { return "socket is empty for now" }
func (again) Timeout() bool   { return false }
func (again) Temporary() bool { return true }

var errAgain error = again{}

var errTooMuch = errors.New("more octets than may be buffered")

// prefixed is a connection of which some octets were read already.
type prefixed interface {
	NetConn() net.Conn
	Prefix() []byte // hands the octets over, once
}

// newLeg takes conn.
func newLeg(conn net.Conn) *leg {
	l := &leg{}
	if p, ok := conn.(prefixed); ok {
		l.in = append([]byte(nil), p.Prefix()...)
		l.w = len(l.in)
		conn = p.NetConn()
	}
	l.conn = conn
	if s, ok := conn.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			l.raw = raw
			l.tryFn, l.writeFn = l.tryRead, l.tryWrite
		}
	}
	return l
}

// unread returns what is buffered, valid until the next call that reads.
func (l *leg) unread() []byte { return l.in[l.r:l.w] }

// consume drops n octets of unread.
func (l *leg) consume(n int) {
	l.r += n
	if l.r == l.w {
		l.drop()
	}
}

// drop gives an empty buffer back.
func (l *leg) drop() {
	release(l.in)
	l.in, l.r, l.w = nil, 0, 0
}

// shrink keeps what is unread in no more than that takes: whoever sends a piece
// of a hello and no more shall not hold a buffer.
func (l *leg) shrink() {
	n := l.w - l.r
	if n > smallBuffer/4 || cap(l.in) < smallBuffer {
		return
	}
	b := make([]byte, n) // of no pool's capacity
	copy(b, l.unread())
	release(l.in)
	l.in, l.r, l.w = b, 0, n
}

// room makes space behind in[:w], moving or growing what is unread up to limit
// octets.
func (l *leg) room(limit int) error {
	if cap(l.in) == 0 {
		if l.large {
			l.in = takeLarge()
		} else {
			l.in = takeSmall()
		}
		l.r, l.w = 0, 0
		return nil
	}
	if l.w < cap(l.in) {
		l.in = l.in[:cap(l.in)]
		return nil
	}
	n := l.w - l.r
	if n >= limit {
		return errTooMuch
	}
	switch {
	case l.r > 0 && n <= cap(l.in)/2:
		copy(l.in, l.in[l.r:l.w])
	case n < smallBuffer/2: // it was shrunk
		b := takeSmall()
		copy(b, l.in[l.r:l.w])
		l.in = b
	default:
		b := make([]byte, min(2*n, limit)+smallBuffer|1) // of no pool's capacity
		copy(b, l.in[l.r:l.w])
		release(l.in)
		l.in = b
	}
	l.r, l.w = 0, n
	return nil
}

// tryRead is the callback of RawConn.Read: one read that never blocks. It takes
// a buffer only for the moment of the call.
func (l *leg) tryRead(fd uintptr) bool {
	if err := l.room(maxPeek); err != nil {
		l.rerr = err
		return true
	}
	n, errno := readNow(fd, l.in[l.w:])
	switch {
	case errno == unix.EAGAIN:
		if l.r == l.w {
			l.drop()
		} else if l.wait {
			l.shrink()
		}
		l.again = true
		return !l.wait
	case errno != 0:
		l.rerr = os.NewSyscallError("read", errno)
	case n == 0:
		l.rerr = io.EOF
	default:
		l.drained = n < len(l.in)-l.w
		l.w += n
	}
	if l.r == l.w {
		l.drop()
	}
	l.again = false
	return true
}

// maxPeek bounds what a leg buffers while a first flight is examined.
const maxPeek = 80 << 10

// fill reads more octets behind what is unread. Without wait it returns errAgain
// where the socket is empty. A deadline's error is not sticky.
func (l *leg) fill(wait bool) error {
	if l.rerr != nil {
		return l.rerr
	}
	if l.raw == nil {
		if !wait {
			return errAgain
		}
		if err := l.room(maxPeek); err != nil {
			l.rerr = err
			return err
		}
		n, err := l.conn.Read(l.in[l.w:])
		l.w += n
		if l.r == l.w {
			l.drop()
		}
		if n > 0 {
			err = nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			l.rerr = err
		}
		return err
	}
	l.wait, l.again = wait, false
	if err := l.raw.Read(l.tryFn); err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			l.rerr = err
		}
		return err
	}
	if l.again {
		return errAgain
	}
	if l.r < l.w {
		return nil
	}
	return l.rerr
}

// Read implements net.Conn for crypto/tls.
func (l *leg) Read(p []byte) (int, error) {
	if l.r == l.w {
		if l.event && l.drained {
			l.drained = false
			return 0, errAgain
		}
		if err := l.fill(!l.event); err != nil {
			return 0, err
		}
	}
	n := copy(p, l.in[l.r:l.w])
	if !l.event {
		l.trail.add(p[:n])
	}
	l.consume(n)
	return n, nil
}

// await returns when at least one octet is unread, or the error that keeps it
// from coming.
func (l *leg) await() error {
	if l.r < l.w {
		return nil
	}
	return l.fill(true)
}

var errPoked = errors.New("wait given up")

// poke has joint.await on this leg return errPoked, now or at its next call. It
// may be called from any goroutine.
func (l *leg) poke() {
	l.poked.Store(true)
	l.conn.SetReadDeadline(time.Unix(1, 0))
}

// Write implements net.Conn for crypto/tls. In a relay it collects.
func (l *leg) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.collect {
		if err := l.put(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if len(l.out) > 0 && len(l.out)+len(p) > cap(l.out) {
		if err := l.flushLocked(); err != nil {
			return 0, err
		}
	}
	if l.out == nil {
		l.out = takeLarge()[:0]
	}
	if len(p) > cap(l.out) {
		release(l.out)
		l.out = nil
		if err := l.writeLocked(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	l.out = append(l.out, p...)
	return len(p), nil
}

// send writes p at once, behind what was collected. It borrows p.
func (l *leg) send(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.flushLocked(); err != nil {
		return err
	}
	return l.writeLocked(p)
}

func (l *leg) writeLocked(p []byte) error {
	if l.stall > 0 {
		l.conn.SetWriteDeadline(time.Now().Add(l.stall))
	}
	return l.put(p)
}

// flush writes what was collected in one system call.
func (l *leg) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flushLocked()
}

// flushIfFree is flush, unless somebody is writing to the leg just now: who does
// flushes before it waits for more. It never waits for that writer, who may wait
// for the far end, which may wait for us to read from it.
func (l *leg) flushIfFree() error {
	if !l.mu.TryLock() {
		return nil
	}
	defer l.mu.Unlock()
	return l.flushLocked()
}

func (l *leg) flushLocked() error {
	if len(l.out) == 0 {
		return nil
	}
	err := l.writeLocked(l.out)
	release(l.out)
	l.out = nil
	return err
}

// relaying turns to the mode of a busy relay: reads do not wait, writes collect
// and may stall for that long.
func (l *leg) relaying(stall time.Duration) {
	l.event, l.large = true, true
	l.mu.Lock()
	l.collect, l.stall = true, stall
	l.mu.Unlock()
}

// CloseWrite is closeWrite, for a leg that is its own cleartext.
func (l *leg) CloseWrite() error { return l.closeWrite() }

// closeWrite flushes and sends a FIN.
func (l *leg) closeWrite() error {
	err := l.flush()
	if c, ok := l.conn.(interface{ CloseWrite() error }); ok {
		return errors.Join(err, c.CloseWrite())
	}
	return err
}

// abort ends the connection with a RST where the transport has one. It may be
// called at any time, from any goroutine, also after close.
func (l *leg) abort() {
	l.closed.Do(func() {
		if c, ok := l.conn.(*net.TCPConn); ok {
			c.SetLinger(0) // an error means that the connection is gone already
		}
		l.conn.Close()
	})
}

// close ends the connection in order. What the kernel has taken is delivered.
func (l *leg) close() { l.closed.Do(func() { l.conn.Close() }) }

// recycle gives the buffers back. No goroutine may use the leg any more.
func (l *leg) recycle() {
	l.drop()
	release(l.out)
	l.out = nil
}

// Close implements net.Conn. crypto/tls never decides the end of a leg.
func (l *leg) Close() error                       { return nil }
func (l *leg) LocalAddr() net.Addr                { return l.conn.LocalAddr() }
func (l *leg) RemoteAddr() net.Addr               { return l.conn.RemoteAddr() }
func (l *leg) SetDeadline(t time.Time) error      { return l.conn.SetDeadline(t) }
func (l *leg) SetReadDeadline(t time.Time) error  { return l.conn.SetReadDeadline(t) }
func (l *leg) SetWriteDeadline(t time.Time) error { return l.conn.SetWriteDeadline(t) }
