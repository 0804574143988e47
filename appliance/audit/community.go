package audit

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// IP protocol numbers.
const (
	tcp = 6
	udp = 17
)

// CommunityID returns the Community ID of the TCP flow between a and b: version
// 1 with seed 0, the form that Zeek, Suricata and Arkime write by default. It is
// the same in both directions. It is empty unless both addresses are valid and
// of one family.
func CommunityID(a, b netip.AddrPort) string { return communityID(tcp, a, b) }

// communityID is that of a flow of TCP or UDP.
func communityID(protocol byte, a, b netip.AddrPort) string {
	a, b = unmap(a), unmap(b)
	if !a.IsValid() || !b.IsValid() || a.Addr().BitLen() != b.Addr().BitLen() {
		return ""
	}
	// The zone is not on the wire and must not decide the order.
	low, high := a.Addr().WithZone(""), b.Addr().WithZone("")
	lowPort, highPort := a.Port(), b.Port()
	if c := low.Compare(high); c > 0 || c == 0 && lowPort > highPort {
		low, high, lowPort, highPort = high, low, highPort, lowPort
	}
	// Seed, addresses, protocol, padding, ports: at most 40 octets.
	msg := make([]byte, 2, 40)
	msg = append(msg, low.AsSlice()...)
	msg = append(msg, high.AsSlice()...)
	msg = append(msg, protocol, 0)
	msg = binary.BigEndian.AppendUint16(msg, lowPort)
	msg = binary.BigEndian.AppendUint16(msg, highPort)
	sum := sha1.Sum(msg)
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}
