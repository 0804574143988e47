// Package oneconn serves HTTP on a single connection, with the server of net/http.
package oneconn

import (
	"net"
	"net/http"
	"sync"
)

// Serve has server answer on conn, and returns when that connection is closed. It
// takes the ConnState of server for itself. Use a server for one connection only.
func Serve(server *http.Server, conn net.Conn) {
	l := &listener{conn: conn, closed: make(chan struct{})}
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			l.Close()
		}
	}
	server.Serve(l)
	conn.Close()
}

// listener has one connection.
type listener struct {
	conn   net.Conn
	taken  bool // Accept is called by one goroutine
	closed chan struct{}
	end    sync.Once
}

// Accept returns the connection, and the second time waits for Close.
func (l *listener) Accept() (net.Conn, error) {
	if !l.taken {
		l.taken = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close leaves the connection alone.
func (l *listener) Close() error {
	l.end.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return l.conn.LocalAddr() }
