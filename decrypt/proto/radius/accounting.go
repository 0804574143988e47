// Package radius reads requests of RADIUS accounting (RFC 2866): which user has which address.
package radius

import (
	"encoding/binary"
	"net/netip"
)

// Accounting is a request of a gateway.
type Accounting struct {
	User    string
	Address netip.Addr // of the user; not valid: not said
	Station string     // from which the user came, mostly a MAC; "": not said
	Stop    bool       // the user has left
}

// Parse reads a datagram. ok is false for anything but an Accounting-Request. It borrows b.
func Parse(b []byte) (a Accounting, ok bool) {
	const header, request = 20, 4
	if len(b) < header || b[0] != request || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return a, false
	}
	for p := b[header:]; len(p) > 0; {
		if len(p) < 2 || p[1] < 3 || int(p[1]) > len(p) {
			return a, false
		}
		value := p[2:p[1]]
		switch kind := p[0]; {
		case kind == 1:
			a.User = string(value)
		case kind == 8 && len(value) == 4:
			a.Address = netip.AddrFrom4([4]byte(value))
		case kind == 168 && len(value) == 16: // RFC 6911, Section 3.1
			a.Address = netip.AddrFrom16([16]byte(value))
		case kind == 31:
			a.Station = string(value)
		case kind == 40 && len(value) == 4: // each request has it
			ok, a.Stop = true, value[3] == 2
		}
		p = p[p[1]:]
	}
	return a, ok
}
