package flow

import (
	"bytes"
	"net/netip"
)

// Key is the two ends of a session, the lower one first, and its transport. Both directions
// have the same, and so has a later session of the same ends.
type Key [37]byte

// EndsOf returns the key of sessions between two ends.
func EndsOf(a, b netip.AddrPort, t Transport) Key {
	var from, to endpoint
	low, high := a.Addr().As16(), b.Addr().As16()
	from.set(low[:], a.Port())
	to.set(high[:], b.Port())
	return keyOfEnds(&from, &to, t)
}

func keyOfEnds(a, b *endpoint, t Transport) (k Key) {
	if bytes.Compare(a.octets[:], b.octets[:]) > 0 {
		a, b = b, a
	}
	copy(k[:], a.octets[:])
	copy(k[18:], b.octets[:])
	k[36] = byte(t)
	return k
}

// Ends returns the two ends, and the transport.
func (k *Key) Ends() (low, high netip.AddrPort, t Transport) {
	a, b := endpoint{[18]byte(k[:18])}, endpoint{[18]byte(k[18:36])}
	return a.addrPort(), b.addrPort(), Transport(k[36])
}

// Ends returns the ends of the TCP segment or UDP datagram in a frame, within whatever it is
// wrapped. It returns false for other frames, and for IP fragments.
func Ends(link uint16, octets []byte) (from, to netip.AddrPort, transport Transport, ok bool) {
	d := decoder{alone: true}
	if d.frame(link, octets, len(octets), 0) != segment {
		return from, to, 0, false
	}
	k := &d.packet
	return k.from.addrPort(), k.to.addrPort(), k.transport, true
}

// KeyOf returns the key of the TCP segment or UDP datagram in a frame, within whatever it is
// wrapped. It returns false for other frames, and for IP fragments.
func KeyOf(link uint16, octets []byte) (Key, bool) {
	d := decoder{alone: true}
	if d.frame(link, octets, len(octets), 0) != segment {
		return Key{}, false
	}
	return keyOfEnds(&d.packet.from, &d.packet.to, d.packet.transport), true
}
