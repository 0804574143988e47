package intake

import (
	"net"
	"sync"
)

// PeekedConn is a connection of which some octets have been read already. Read
// delivers those first. Who wants to use the socket itself calls Prefix, takes
// care of what it returns, and goes on with NetConn.
type PeekedConn struct {
	net.Conn

	mu     sync.Mutex
	prefix []byte
}

// NewPeekedConn takes conn and the octets already read from it.
func NewPeekedConn(conn net.Conn, prefix []byte) *PeekedConn {
	return &PeekedConn{Conn: conn, prefix: prefix}
}

// NetConn returns the connection beneath.
func (p *PeekedConn) NetConn() net.Conn { return p.Conn }

// Prefix hands over what is left of the octets read before; the caller owns
// them. Read does not deliver them again, a second call returns nil.
func (p *PeekedConn) Prefix() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.prefix
	p.prefix = nil
	return b
}

// Read implements net.Conn.
func (p *PeekedConn) Read(b []byte) (int, error) {
	p.mu.Lock()
	if len(p.prefix) > 0 {
		n := copy(b, p.prefix)
		if p.prefix = p.prefix[n:]; len(p.prefix) == 0 {
			p.prefix = nil
		}
		p.mu.Unlock()
		return n, nil
	}
	p.mu.Unlock()
	return p.Conn.Read(b)
}

// CloseWrite shuts down the writing half, or closes a connection that has no
// halves.
func (p *PeekedConn) CloseWrite() error {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return p.Conn.Close()
}
