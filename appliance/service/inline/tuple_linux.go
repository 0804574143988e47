package inline

import (
	"encoding/binary"
	"net/netip"
)

// tuple is the key under which a connection is known to programs and process.
func tuple(client, origin netip.AddrPort) kernelTuple {
	return kernelTuple{
		Client: addrWords(client.Addr()), Origin: addrWords(origin.Addr()),
		ClientPort: networkOrder(client.Port()), OriginPort: networkOrder(origin.Port()),
	}
}

// addrWords holds an address in network order, IPv4 mapped.
func addrWords(a netip.Addr) (w [4]uint32) {
	b := a.As16()
	for i := range w {
		w[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return w
}

// networkOrder turns a port into network order.
func networkOrder(port uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, port))
}

// nat64Prefix is the prefix under which IPv4 clients of IPv6 origins appear (RFC
// 6052): a frame has one family, and mapped addresses are none for frames.
var nat64Prefix = netip.MustParseAddr("64:ff9b::").As16()

// sameFamily returns both addresses as the device can see them.
func sameFamily(client, origin netip.AddrPort) (netip.AddrPort, netip.AddrPort) {
	c, o := wireAddr(client.Addr()), wireAddr(origin.Addr())
	if c.Is4() != o.Is4() {
		c, o = nat64(c), nat64(o)
	}
	return netip.AddrPortFrom(c, client.Port()), netip.AddrPortFrom(o, origin.Port())
}

// wireAddr returns an address as it can stand in a frame: ::1 is that of no frame.
func wireAddr(a netip.Addr) netip.Addr {
	if a = a.Unmap().WithZone(""); a == netip.IPv6Loopback() {
		return nat64(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return a
}

func nat64(a netip.Addr) netip.Addr {
	if !a.Is4() {
		return a
	}
	b := nat64Prefix
	v4 := a.As4()
	copy(b[12:], v4[:])
	return netip.AddrFrom16(b)
}
