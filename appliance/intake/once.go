package intake

import (
	"net"
	"sync"
)

// once is a listener with a single connection. The second Accept blocks until
// Close, which leaves the connection alone.
type once struct {
	conn   net.Conn
	taken  bool // Accept is called by one goroutine
	closed chan struct{}
	end    sync.Once
}

func newOnce(conn net.Conn) *once {
	return &once{conn: conn, closed: make(chan struct{})}
}

func (l *once) Accept() (net.Conn, error) {
	if !l.taken {
		l.taken = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *once) Close() error {
	l.end.Do(func() { close(l.closed) })
	return nil
}

func (l *once) Addr() net.Addr { return l.conn.LocalAddr() }
