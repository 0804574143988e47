package intake

import (
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// finTimeout bounds the wait for connections that are closed but not finished.
const finTimeout = 2 * time.Second

// awaitFINs waits until the kernel has delivered what sessions wrote last: the
// socket is closed, data and FIN may be on their way, and without our rules their
// acknowledgements would not come back. ours tells our sockets by the address on
// our side.
func awaitFINs(ours func(netip.AddrPort) bool) {
	for deadline := time.Now().Add(finTimeout); hasUnackedFIN(ours) && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
}

// hasUnackedFIN reports whether one of our connections has a FIN that is not
// acknowledged.
func hasUnackedFIN(ours func(netip.AddrPort) bool) bool {
	for _, number := range []uint8{unix.AF_INET, unix.AF_INET6} {
		sockets, err := dump(func() ([]*netlink.Socket, error) { return netlink.SocketDiagTCP(number) })
		if err != nil {
			continue
		}
		for _, s := range sockets {
			addr, _ := netip.AddrFromSlice(s.ID.Source)
			switch s.State {
			case netlink.TCP_FIN_WAIT1, netlink.TCP_CLOSING, netlink.TCP_LAST_ACK:
				if ours(netip.AddrPortFrom(addr.Unmap(), s.ID.SourcePort)) {
					return true
				}
			}
		}
	}
	return false
}

// notLocal returns a function that reports whether an address is not one of this
// box, none if those of the box cannot be read.
func notLocal() func(netip.AddrPort) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return func(netip.AddrPort) bool { return false }
	}
	local := make(map[netip.Addr]bool)
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			local[prefix.Addr()] = true
		}
	}
	return func(a netip.AddrPort) bool { return !local[a.Addr()] }
}
