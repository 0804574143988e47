// Package dhcp reads messages of DHCP (RFC 2131), as far as they say who has which address.
package dhcp

import (
	"encoding/binary"
	"net/netip"
)

// Message is one of a client or a server.
type Message struct {
	Type    Type
	MAC     [6]byte
	Address netip.Addr // that the client has or wants; not valid: none
	Host    string     // the client's name; "": none
	Seconds uint32     // for which the address is granted; 0: not said
}

// Type is the type of a message (RFC 2132, Section 9.6).
type Type uint8

const (
	Request Type = 3
	Grant   Type = 5 // DHCPACK
)

const (
	optionsAt = 240 // behind the cookie
	cookie    = 0x63825363
)

// Is reports whether a datagram is a message of DHCP.
func Is(b []byte) bool {
	return len(b) > optionsAt && (b[0] == 1 || b[0] == 2) && binary.BigEndian.Uint32(b[optionsAt-4:]) == cookie
}

// Parse reads a message of a client with an Ethernet address. It borrows b.
func Parse(b []byte) (m Message, ok bool) {
	const ethernet = 1
	if !Is(b) || b[1] != ethernet || b[2] != 6 {
		return m, false
	}
	copy(m.MAC[:], b[28:])
	address := func(p []byte) {
		if a := netip.AddrFrom4([4]byte(p)); len(p) == 4 && !a.IsUnspecified() {
			m.Address = a
		}
	}
	address(b[12:16]) // what the client has
	address(b[16:20]) // what the server gives
	for p := b[optionsAt:]; len(p) > 0; {
		const pad, end = 0, 255
		if p[0] == pad {
			p = p[1:]
			continue
		}
		if p[0] == end || len(p) < 2 || len(p) < 2+int(p[1]) {
			break
		}
		value := p[2 : 2+int(p[1])]
		switch option := p[0]; {
		case option == 53 && len(value) == 1:
			m.Type = Type(value[0])
		case option == 12:
			m.Host = string(value)
		case option == 50 && len(value) == 4:
			address(value)
		case option == 51 && len(value) == 4:
			m.Seconds = binary.BigEndian.Uint32(value)
		}
		p = p[2+len(value):]
	}
	return m, m.Type != 0
}
