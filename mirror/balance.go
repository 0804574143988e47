package mirror

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
)

// Balance is several sinks that share the work.
type Balance []Sink

// For returns the sink for a flow, always the same one for both directions of
// the same addresses and ports, whatever state the sinks are in. b is not empty.
func (b Balance) For(f Flow) Sink {
	if len(b) == 1 {
		return b[0]
	}
	return b[f.hash()%uint64(len(b))]
}

// hash is the same for a flow and its reverse, and in every process.
func (f Flow) hash() uint64 {
	var octets [2 * 18]byte
	low, high := endpoint(f.Client), endpoint(f.Origin)
	if low.Compare(high) > 0 {
		low, high = high, low
	}
	for i, ap := range []netip.AddrPort{low, high} {
		address := ap.Addr().As16()
		copy(octets[18*i:], address[:])
		binary.BigEndian.PutUint16(octets[18*i+16:], ap.Port())
	}
	h := fnv.New64a()
	h.Write(octets[:])
	sum := h.Sum64()
	return sum ^ sum>>32 // the low bits of FNV mix poorly
}

func endpoint(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(plainAddr(ap.Addr()), ap.Port())
}
