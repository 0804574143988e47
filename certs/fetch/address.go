package fetch

import "net/netip"

// reserved are the networks in which no public server is, beside those that
// package netip knows by name (RFC 6890 and the IANA special-purpose
// registries). Documentation networks lead nowhere and need no ban.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // this network
	netip.MustParsePrefix("100.64.0.0/10"),  // shared, behind a carrier's NAT
	netip.MustParsePrefix("192.0.0.0/24"),   // protocol assignments
	netip.MustParsePrefix("192.88.99.0/24"), // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),    // future use, broadcast
	netip.MustParsePrefix("2001::/23"),      // protocol assignments, Teredo
	netip.MustParsePrefix("2002::/16"),      // 6to4: an IPv4 address within
}

var (
	unicast = netip.MustParsePrefix("2000::/3")     // the only public part of IPv6
	nat64   = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052: an IPv4 address within
)

// public reports whether a server on the Internet may have addr, which is no
// IPv4 address in IPv6 form.
func public(addr netip.Addr) bool {
	if nat64.Contains(addr) {
		b := addr.As16()
		return public(netip.AddrFrom4([4]byte(b[12:])))
	}
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Is6() && !unicast.Contains(addr) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}
