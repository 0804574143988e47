package ftp

import (
	"net/netip"
	"strconv"
	"strings"
)

// hostPort reads h1,h2,h3,h4,p1,p2 (RFC 959, Section 5.3.2).
func hostPort(s string) (netip.Addr, uint16, bool) {
	var octets [6]byte
	for i := range octets {
		number, rest, more := strings.Cut(s, ",")
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 8)
		if err != nil || more != (i < len(octets)-1) {
			return netip.Addr{}, 0, false
		}
		octets[i], s = byte(n), rest
	}
	port := uint16(octets[4])<<8 | uint16(octets[5])
	return netip.AddrFrom4([4]byte(octets[:4])), port, port != 0
}

// passiveReply finds h1,h2,h3,h4,p1,p2 in the text of a reply 227. Servers do not
// agree on what stands around it (RFC 1123, Section 4.1.2.6).
func passiveReply(s string) (netip.Addr, uint16, bool) {
	first := strings.IndexByte(s, ',')
	if first < 0 {
		return netip.Addr{}, 0, false
	}
	isNumber := func(c byte) bool { return c >= '0' && c <= '9' || c == ',' }
	from, to := first, first
	for from > 0 && isNumber(s[from-1]) {
		from--
	}
	for to < len(s) && isNumber(s[to]) {
		to++
	}
	return hostPort(s[from:to])
}

// extended reads |1|132.235.1.2|6275| with any delimiter (RFC 2428, Section 2).
func extended(s string) (netip.Addr, uint16, bool) {
	if s == "" {
		return netip.Addr{}, 0, false
	}
	parts := strings.SplitN(s, s[:1], 6)
	if len(parts) != 5 {
		return netip.Addr{}, 0, false
	}
	address, err := netip.ParseAddr(parts[2])
	port, err2 := strconv.ParseUint(parts[3], 10, 16)
	family := map[string]bool{"1": address.Is4(), "2": address.Is6()}
	if err != nil || err2 != nil || port == 0 || !family[parts[1]] || address.Zone() != "" {
		return netip.Addr{}, 0, false
	}
	return address.Unmap(), uint16(port), true
}

// extendedReply finds (|||6446|) in the text of a reply 229 (RFC 2428, Section 3).
func extendedReply(s string) (uint16, bool) {
	_, s, open := strings.Cut(s, "(")
	s, _, closed := strings.Cut(s, ")")
	if !open || !closed || len(s) < 5 || s[1] != s[0] || s[2] != s[0] || s[len(s)-1] != s[0] {
		return 0, false
	}
	port, err := strconv.ParseUint(s[3:len(s)-1], 10, 16)
	return uint16(port), err == nil && port != 0
}
