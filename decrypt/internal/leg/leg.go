// Package leg is one transport connection of a session and the net.Conn beneath its
// TLS connection. It knows no session, protocol or policy.
package leg

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Leg reads as much as the socket holds in one system call, and collects what is
// written until Flush.
//
// Reading is for one goroutine at a time, writing for any. While nothing is
// buffered a leg holds no buffer, also while it waits.
type Leg struct {
	conn net.Conn
	raw  syscall.RawConn // nil when conn is no socket: waiting then holds a buffer

	in      []byte // buffer, nil while empty; in[r:w] is unread
	r, w    int
	large   bool  // take large buffers
	event   bool  // Read answers ErrAgain where it would wait
	patient bool  // but waits all the same
	drained bool  // the last read left the socket empty, as far as we know
	rerr    error // sticky end of reading
	tail    Tail  // of what Read gave before the relay

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

// prefixed is a connection of which some octets were read already.
type prefixed interface {
	NetConn() net.Conn
	Prefix() []byte // hands the octets over, once
}

// New takes conn.
func New(conn net.Conn) *Leg {
	l := &Leg{}
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

// Conn is the connection itself, for octets that no buffer holds back.
func (l *Leg) Conn() net.Conn { return l.conn }

// Socket reports whether the leg is a socket, which needs no buffer while it waits.
func (l *Leg) Socket() bool { return l.raw != nil }

// Relaying turns to the mode of a busy relay: reads do not wait, writes collect
// and may stall for that long. It is for the goroutine that reads.
func (l *Leg) Relaying(stall time.Duration) {
	l.event = true
	l.Large()
	l.mu.Lock()
	l.collect = true
	l.mu.Unlock()
	l.Stall(stall)
}

// Settle ends the mode of [Leg.Relaying], when what was collected is written. It is for the
// goroutine that reads.
func (l *Leg) Settle() error {
	l.event, l.drained = false, false
	l.mu.Lock()
	defer l.mu.Unlock()
	l.collect = false
	return l.flushLocked()
}

// Large has the leg read into large buffers. It is for the goroutine that reads.
func (l *Leg) Large() { l.large = true }

// Patient has reads wait in the mode of a busy relay, or no longer. It is for the
// goroutine that reads.
func (l *Leg) Patient(wait bool) { l.patient = wait }

// Stall bounds how long a write may take, 0 for ever.
func (l *Leg) Stall(most time.Duration) {
	l.mu.Lock()
	l.stall = most
	l.mu.Unlock()
}

// Abort ends the connection with a RST where the transport has one. It may be
// called at any time, from any goroutine, also after Finish.
func (l *Leg) Abort() {
	l.closed.Do(func() {
		c := l.conn
		if w, ok := c.(*Within); ok {
			w.under.Abort()
			return
		}
		if t, ok := c.(*tls.Conn); ok { // whose Close says farewell
			c = t.NetConn()
		}
		if t, ok := c.(*net.TCPConn); ok {
			t.SetLinger(0) // an error means that the connection is gone already
		}
		c.Close()
	})
}

// Finish ends the connection in order. What the kernel has taken is delivered.
func (l *Leg) Finish() { l.closed.Do(func() { l.conn.Close() }) }

// Recycle gives the buffers back. No goroutine may use the leg any more.
func (l *Leg) Recycle() {
	l.drop()
	Release(l.out)
	l.out = nil
	if w, ok := l.conn.(*Within); ok {
		w.under.Recycle()
	}
}

// Close implements net.Conn and does nothing: crypto/tls never decides the end of a
// leg.
func (l *Leg) Close() error { return nil }

// LocalAddr implements net.Conn.
func (l *Leg) LocalAddr() net.Addr { return l.conn.LocalAddr() }

// RemoteAddr implements net.Conn.
func (l *Leg) RemoteAddr() net.Addr { return l.conn.RemoteAddr() }

// SetDeadline implements net.Conn.
func (l *Leg) SetDeadline(t time.Time) error { return l.conn.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (l *Leg) SetReadDeadline(t time.Time) error { return l.conn.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (l *Leg) SetWriteDeadline(t time.Time) error { return l.conn.SetWriteDeadline(t) }
