package intakes

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt"
)

// guard keeps sessions from reaching the appliance's own listeners through the
// appliance: the administration is not for clients, and a proxy that connects to
// itself never ends. Another listener of this machine may have the same port on another
// address.
type guard struct {
	mu        sync.Mutex
	listeners map[uint16][]netip.Addr // by port; the zero address is every one of this box
}

func (g *guard) add(cfg *config.Config) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listeners = make(map[uint16][]netip.Addr)
	for _, l := range listeners(cfg) {
		host, port, err := net.SplitHostPort(l)
		if err != nil {
			continue
		}
		if n, err := net.LookupPort("tcp", port); err == nil && n != 0 {
			g.listeners[uint16(n)] = append(g.listeners[uint16(n)], listenAddrs(host)...)
		}
	}
}

// lookupTimeout bounds the look-up of the name of a listener.
const lookupTimeout = 5 * time.Second

// listenAddrs returns the addresses of a listener. The zero address stands for every
// address of this box; a name that cannot be resolved is taken for that.
func listenAddrs(host string) []netip.Addr {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.IsUnspecified() {
			addr = netip.Addr{}
		}
		return []netip.Addr{addr.Unmap().WithZone("")}
	}
	if host != "" {
		ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
		defer cancel()
		if found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host); err == nil && len(found) > 0 {
			for i := range found {
				found[i] = found[i].Unmap().WithZone("")
			}
			return found
		}
	}
	return []netip.Addr{{}}
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

// permit is called for every destination. The error wraps [decrypt.ErrLoop].
func (g *guard) permit(to netip.AddrPort) error {
	g.mu.Lock()
	own := g.listeners[to.Port()]
	g.mu.Unlock()
	addr := to.Addr().Unmap().WithZone("")
	for _, l := range own {
		if l == addr || addr.IsUnspecified() || !l.IsValid() && isLocal(addr) {
			return fmt.Errorf("open %s: %w", to, decrypt.ErrLoop)
		}
	}
	return nil
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
