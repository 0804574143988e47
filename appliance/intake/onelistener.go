package intake

import (
	"net"
	"sync"
)

// oneListener is a listener with a single connection. The second Accept blocks until
// Close, which leaves the connection alone.
type oneListener struct {
	conn     net.Conn
	accepted bool // Accept is called by one goroutine
	closed   chan struct{}
	closing  sync.Once
}

func newOneListener(conn net.Conn) *oneListener {
	return &oneListener{conn: conn, closed: make(chan struct{})}
}

func (l *oneListener) Accept() (net.Conn, error) {
	if !l.accepted {
		l.accepted = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneListener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return nil
}

func (l *oneListener) Addr() net.Addr { return l.conn.LocalAddr() }
