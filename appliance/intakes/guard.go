package intakes

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/appliance/config"
)

// guard keeps sessions from reaching the appliance's own listeners through the
// appliance: the administration is not for clients, and a proxy that connects to
// itself never ends.
type guard struct {
	mu    sync.Mutex
	ports map[uint16]bool
}

func (g *guard) add(cfg *config.Config) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ports = make(map[uint16]bool)
	for _, l := range listeners(cfg) {
		if _, port, err := net.SplitHostPort(l); err == nil {
			if n, err := net.LookupPort("tcp", port); err == nil && n != 0 {
				g.ports[uint16(n)] = true
			}
		}
	}
}

func listeners(cfg *config.Config) []string {
	all := []string{cfg.Admin.Listen}
	for _, in := range cfg.Intakes {
		all = append(all, in.Listen())
	}
	for _, m := range cfg.Mirrors {
		all = append(all, m.Live.Addr)
	}
	return all
}

// permit is called for every destination.
func (g *guard) permit(to netip.AddrPort) error {
	g.mu.Lock()
	own := g.ports[to.Port()]
	g.mu.Unlock()
	if !own || !isLocal(to.Addr()) {
		return nil
	}
	return fmt.Errorf("destination %s is a listener of the appliance itself", to)
}

// isLocal reports whether addr is one of this host's.
func isLocal(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // better refuse a destination than open the administration
	}
	for _, a := range addrs {
		if s, _, _ := strings.Cut(a.String(), "/"); s == addr.String() {
			return true
		}
	}
	return false
}
