package adapt

import (
	"net/netip"
	"sync"
)

// Bounds of the messages of WebSocket that are held, in octets.
const (
	maxHeld     = 256 << 20 // by all sessions
	maxOfClient = 64 << 20  // by those of one address
)

// held counts the octets of messages that are held. It is safe for concurrent use.
type held struct {
	mu      sync.Mutex
	all     int
	clients map[netip.Addr]int // no zeros
}

// take takes room for n octets of a client, and reports whether there was some.
func (h *held) take(client netip.Addr, n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all+n > maxHeld || h.clients[client]+n > maxOfClient {
		return false
	}
	h.all += n
	h.clients[client] += n
	return true
}

// free gives back the room of n octets.
func (h *held) free(client netip.Addr, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all -= n
	if h.clients[client] -= n; h.clients[client] == 0 {
		delete(h.clients, client)
	}
}

// Hold takes room for n octets of a message of WebSocket that is held, and reports
// whether there was some. They are given back by Free.
func (s *Session) Hold(n int) bool { return s.Config.held.take(s.Account.Client.Addr(), n) }

// Free gives back the room of n octets.
func (s *Session) Free(n int) {
	if n > 0 {
		s.Config.held.free(s.Account.Client.Addr(), n)
	}
}
