package sniff

import "encoding/binary"

// isPostgreSQL wants the length and code of a startup message, an SSLRequest, a
// GSSENCRequest or a CancelRequest (PostgreSQL documentation, Message Formats).
func isPostgreSQL(b []byte) match {
	const (
		maxStartup = 10000 // the server's own limit, in octets
		cancel     = 80877102
		gssenc     = 80877104
	)
	switch m := prefix(b, "\x00\x00"); {
	case m != yes:
		return m
	case len(b) < 4:
		return maybe
	}
	if n := binary.BigEndian.Uint32(b); n < 8 || n > maxStartup {
		return no
	}
	if len(b) < 8 {
		return maybe
	}
	code := binary.BigEndian.Uint32(b[4:])
	if code>>16 == 3 || code >= cancel && code <= gssenc {
		return yes
	}
	return no
}

// isLDAP wants an LDAPMessage with a message identifier and a request (RFC 4511,
// Section 4.1.1), in BER with definite lengths.
func isLDAP(b []byte) match {
	const sequence, integer = 0x30, 0x02
	if len(b) == 0 {
		return maybe
	}
	if b[0] != sequence {
		return no
	}
	if len(b) < 2 {
		return maybe
	}
	at := 2
	if b[1] >= 0x80 {
		if b[1] < 0x81 || b[1] > 0x84 {
			return no
		}
		at += int(b[1] & 0x0f)
	}
	if len(b) < at+2 {
		return maybe
	}
	if b[at] != integer || b[at+1] < 1 || b[at+1] > 4 {
		return no
	}
	at += 2 + int(b[at+1])
	if len(b) <= at {
		return maybe
	}
	switch b[at] {
	case 0x60, // bind
		0x42,                         // unbind
		0x63,                         // search
		0x66, 0x68, 0x4a, 0x6c, 0x6e, // modify, add, delete, rename, compare
		0x50, // abandon
		0x77: // extended, StartTLS among them
		return yes
	}
	return no
}

// isRDP wants an X.224 connection request in a TPKT packet (MS-RDPBCGR, Section
// 2.2.1.1).
func isRDP(b []byte) match {
	const request = 0xe0
	switch m := prefix(b, "\x03\x00"); {
	case m != yes:
		return m
	case len(b) < 6:
		return maybe
	}
	if length := int(binary.BigEndian.Uint16(b[2:])); b[5] == request && int(b[4]) == length-5 {
		return yes
	}
	return no
}

// isSOCKS wants the first two octets of a SOCKS4 request, or of a SOCKS5 method
// selection (RFC 1928, Section 3).
func isSOCKS(b []byte) match {
	const maxMethods = 10 // as many as are registered
	switch {
	case len(b) == 0:
		return maybe
	case b[0] != 4 && b[0] != 5:
		return no
	case len(b) == 1:
		return maybe
	case b[0] == 4 && (b[1] == 1 || b[1] == 2), b[0] == 5 && b[1] >= 1 && b[1] <= maxMethods:
		return yes
	}
	return no
}

// isMySQL wants the first packet of the server: sequence number 0, protocol
// version 10, a version string that starts with a digit.
func isMySQL(b []byte) match {
	const (
		maxLength = 1024 // octets; real greetings have about a hundred
		protocol  = 10
	)
	if len(b) < 3 {
		if len(b) == 2 && int(b[1])<<8 > maxLength {
			return no
		}
		return maybe
	}
	if length := int(b[0]) | int(b[1])<<8 | int(b[2])<<16; length < 20 || length > maxLength {
		return no
	}
	if len(b) >= 4 && b[3] != 0 || len(b) >= 5 && b[4] != protocol || len(b) >= 6 && (b[5] < '0' || b[5] > '9') {
		return no
	}
	if len(b) < 6 {
		return maybe
	}
	return yes
}
