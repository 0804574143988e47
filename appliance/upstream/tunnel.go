package upstream

import (
	"net"
	"sync"
)

// tunnel is a connection to an origin by way of a proxy. Who wants to use the socket
// itself calls Prefix, takes care of what it returns, and goes on with NetConn.
type tunnel struct {
	net.Conn
	remote net.Addr

	mu     sync.Mutex
	prefix []byte // said by the origin, and read with the proxy's answer
}

// RemoteAddr returns the origin's address.
func (t *tunnel) RemoteAddr() net.Addr { return t.remote }

// NetConn returns the connection to the proxy.
func (t *tunnel) NetConn() net.Conn { return t.Conn }

// Prefix hands over the octets that were read already, once.
func (t *tunnel) Prefix() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.prefix
	t.prefix = nil
	return b
}

// Read implements net.Conn.
func (t *tunnel) Read(b []byte) (int, error) {
	t.mu.Lock()
	if len(t.prefix) > 0 {
		n := copy(b, t.prefix)
		t.prefix = t.prefix[n:]
		t.mu.Unlock()
		return n, nil
	}
	t.mu.Unlock()
	return t.Conn.Read(b)
}

// CloseWrite ends the writing half, or a connection that has no halves.
func (t *tunnel) CloseWrite() error {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return t.Conn.Close()
}
