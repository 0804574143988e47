package inline

import (
	"encoding/binary"
	"net/netip"
)

// tuple is the key under which a connection is known to programs and process.
func tuple(client, origin netip.AddrPort) kernelTuple {
	return kernelTuple{
		Client: words(client.Addr()), Origin: words(origin.Addr()),
		ClientPort: swap(client.Port()), OriginPort: swap(origin.Port()),
	}
}

// words holds an address in network order, IPv4 mapped.
func words(a netip.Addr) (w [4]uint32) {
	b := a.As16()
	for i := range w {
		w[i] = binary.NativeEndian.Uint32(b[4*i:])
	}
	return w
}

// swap turns a port into network order.
func swap(port uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, port))
}

// translation is the prefix under which IPv4 clients of IPv6 origins appear (RFC
// 6052): a frame has one family, and mapped addresses are none for frames.
var translation = netip.MustParseAddr("64:ff9b::").As16()

// sameFamily returns both addresses as the device can see them.
func sameFamily(client, origin netip.AddrPort) (netip.AddrPort, netip.AddrPort) {
	c, o := visible(client.Addr()), visible(origin.Addr())
	if c.Is4() != o.Is4() {
		c, o = translated(c), translated(o)
	}
	return netip.AddrPortFrom(c, client.Port()), netip.AddrPortFrom(o, origin.Port())
}

// visible returns an address as it can stand in a frame: ::1 is that of no frame.
func visible(a netip.Addr) netip.Addr {
	if a = a.Unmap().WithZone(""); a == netip.IPv6Loopback() {
		return translated(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return a
}

func translated(a netip.Addr) netip.Addr {
	if !a.Is4() {
		return a
	}
	b := translation
	v4 := a.As4()
	copy(b[12:], v4[:])
	return netip.AddrFrom16(b)
}
