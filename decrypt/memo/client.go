package memo

import "net/netip"

// Client returns the owner that stands for a client: its address, of IPv6 the network of
// 64 bits, in which a client chooses its addresses as it likes (RFC 8981).
func Client(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
