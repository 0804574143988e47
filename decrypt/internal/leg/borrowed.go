package leg

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Borrowed is a leg in the hands of others. Closing it ends reading, and
// leaves the connection open; when Close has returned, nobody reads any more.
type Borrowed struct {
	leg *Leg

	reading sync.Mutex // held by who reads

	mu     sync.Mutex // guards the rest, and deadlines of reading
	closed bool
}

// Lend hands the leg out. Nobody else uses it until Close has returned.
func (l *Leg) Lend() *Borrowed { return &Borrowed{leg: l} }

// Read implements net.Conn.
func (l *Borrowed) Read(p []byte) (int, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	return l.leg.Read(p)
}

// Close implements net.Conn.
func (l *Borrowed) Close() error {
	l.mu.Lock()
	l.closed = true
	l.leg.SetReadDeadline(time.Unix(1, 0))
	l.mu.Unlock()
	l.reading.Lock() // when the reader has left
	defer l.reading.Unlock()
	return nil
}

// SetReadDeadline implements net.Conn.
func (l *Borrowed) SetReadDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	return l.leg.SetReadDeadline(t)
}

// SetDeadline implements net.Conn.
func (l *Borrowed) SetDeadline(t time.Time) error {
	return errors.Join(l.SetReadDeadline(t), l.SetWriteDeadline(t))
}

// Write implements net.Conn.
func (l *Borrowed) Write(p []byte) (int, error) { return l.leg.Write(p) }

// LocalAddr implements net.Conn.
func (l *Borrowed) LocalAddr() net.Addr { return l.leg.LocalAddr() }

// RemoteAddr implements net.Conn.
func (l *Borrowed) RemoteAddr() net.Addr { return l.leg.RemoteAddr() }

// SetWriteDeadline implements net.Conn.
func (l *Borrowed) SetWriteDeadline(t time.Time) error { return l.leg.SetWriteDeadline(t) }
