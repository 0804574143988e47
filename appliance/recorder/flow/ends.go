package flow

import "net/netip"

// Ends returns the ends of the TCP segment or UDP datagram in a frame, within whatever it is
// wrapped. It returns false for other frames, and for IP fragments.
func Ends(link uint16, octets []byte) (from, to netip.AddrPort, transport Transport, ok bool) {
	var d decoder
	if d.frame(link, octets, len(octets), 0) != segment {
		return from, to, 0, false
	}
	k := &d.packet
	return k.from.addrPort(), k.to.addrPort(), k.transport, true
}
