package mirror

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
)

// Flow is the identity under which recorders see a session, oriented from the
// client to the origin.
//
// IPv4-mapped IPv6 addresses count as IPv4; zones are left out. Where only one
// of the two addresses is IPv4, frames are IPv6 and the IPv4 address appears
// mapped (::ffff:192.0.2.1). An invalid address becomes the unspecified one.
type Flow struct {
	Client, Origin       netip.AddrPort
	ClientMAC, OriginMAC [6]byte // zero: a locally administered one made from the address
	VLAN                 uint16  // 802.1Q tag, 1 to 4094; anything else: no tag
}

// Mark makes mirrored frames recognisable where they meet frames of the same
// session from elsewhere, a SPAN port say. Each part is optional.
type Mark struct {
	VLAN      uint16  // 802.1Q tag, 1 to 4094, in place of the flow's own; anything else: the flow's
	SourceMAC [6]byte // source of every frame, both directions; zero: the flow's
	DSCP      uint8   // differentiated services code point, 0 to 63 (RFC 2474, Section 3)
}

// Mirrored returns the flow as recorders see it in a conversation with opts: addresses
// of one family, no MAC left zero, origin port mapped, tag of the mark set.
func (f Flow) Mirrored(opts Options) Flow {
	ports := opts.Ports
	if ports == nil {
		ports = ClearPorts
	}
	client, origin := plainAddr(f.Client.Addr()), plainAddr(f.Origin.Addr())
	if client.Is4() != origin.Is4() {
		client, origin = netip.AddrFrom16(client.As16()), netip.AddrFrom16(origin.As16())
	}
	if f.ClientMAC == ([6]byte{}) {
		f.ClientMAC = macFor(client)
	}
	if f.OriginMAC == ([6]byte{}) {
		f.OriginMAC = macFor(origin)
	}
	switch {
	case validTag(opts.Mark.VLAN):
		f.VLAN = opts.Mark.VLAN
	case !validTag(f.VLAN):
		f.VLAN = 0
	}
	f.Client = netip.AddrPortFrom(client, f.Client.Port())
	f.Origin = netip.AddrPortFrom(origin, ports(f.Origin.Port(), opts.Protocol))
	return f
}

// flowOf reads the flow from the header of a frame towards the origin.
func flowOf(h []byte, l layout) Flow {
	var f Flow
	copy(f.OriginMAC[:], h[0:])
	copy(f.ClientMAC[:], h[6:])
	if l.ip > ethernetHeader {
		f.VLAN = uint16(h[14])<<8 | uint16(h[15])
	}
	at, size := l.ip+12, uint8(4)
	if l.v6 {
		at, size = l.ip+8, 16
	}
	client, _ := netip.AddrFromSlice(h[at : at+size])
	origin, _ := netip.AddrFromSlice(h[at+size : at+2*size])
	tcp := h[l.tcp:]
	f.Client = netip.AddrPortFrom(client, uint16(tcp[0])<<8|uint16(tcp[1]))
	f.Origin = netip.AddrPortFrom(origin, uint16(tcp[2])<<8|uint16(tcp[3]))
	return f
}

func validTag(id uint16) bool { return id > 0 && id < 4095 }

func plainAddr(a netip.Addr) netip.Addr {
	if !a.IsValid() {
		return netip.IPv4Unspecified()
	}
	return a.Unmap().WithZone("")
}

// macFor makes a unicast, locally administered MAC from an address: 0e:5c and
// the four octets of an IPv4 address, 0a and 40 bits of hash for IPv6. A MAC
// that starts 02:00:00:00 would pass for a loopback header with some readers.
func macFor(a netip.Addr) [6]byte {
	if a.Is4() {
		ip := a.As4()
		return [6]byte{0x0e, 0x5c, ip[0], ip[1], ip[2], ip[3]}
	}
	ip := a.As16()
	hash := fnv.New64a()
	hash.Write(ip[:])
	mac := [8]byte{}
	binary.BigEndian.PutUint64(mac[:], hash.Sum64())
	return [6]byte{0x0a, mac[3], mac[4], mac[5], mac[6], mac[7]}
}
