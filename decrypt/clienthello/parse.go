package clienthello

// Extension types (IANA, TLS ExtensionType Values).
const (
	extServerName          = 0
	extSupportedGroups     = 10
	extSignatureAlgorithms = 13
	extALPN                = 16
	extSupportedVersions   = 43
	extECH                 = 0xfe0d
)

// Parse borrows b, which begins with the connection's first octet, and reads the
// ClientHello at its beginning. n is the number of octets of the records that
// hold it; what follows them in b is not looked at. Errors are those of
// [Scanner.Scan] and [ErrMalformed]; h is nil and n is 0 then.
//
// Parse takes every hello that crypto/tls takes. It also takes a server name
// with a trailing dot, and others that it reports as unusable.
func Parse(b []byte) (h *Hello, n int, err error) {
	n, err = Complete(b)
	if err != nil {
		return nil, 0, err
	}
	h = new(Hello)
	if !h.parse(message(b[:n])) {
		return nil, 0, ErrMalformed
	}
	return h, n, nil
}

// ParseMessage borrows b, which begins with a handshake message that is not in
// records, as QUIC carries it (RFC 9001, Section 4.1.3), and reads the ClientHello
// there. n is the number of octets of the message; what follows them in b is not
// looked at. With [ErrShort], n is how many octets there have to be, or 0 while that is
// not known. Other errors are [ErrNotTLS] for another message, and [ErrMalformed].
func ParseMessage(b []byte) (h *Hello, n int, err error) {
	switch {
	case len(b) > 0 && b[0] != typeClientHello:
		return nil, 0, ErrNotTLS
	case len(b) < handshakeHeader:
		return nil, 0, ErrShort
	}
	n = handshakeHeader + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
	if len(b) < n {
		return nil, n, ErrShort
	}
	h = new(Hello)
	if !h.parse(b[handshakeHeader:n]) {
		return nil, n, ErrMalformed
	}
	return h, n, nil
}

// parse reads the body of the handshake message (RFC 8446, Section 4.1.2).
func (h *Hello) parse(body []byte) bool {
	r := reader(body)
	var sessionID, suites, compression, extensions reader
	if !r.uint16(&h.Version) || !r.skip(32) || !r.vector8(&sessionID) ||
		!r.vector16(&suites) || !r.vector8(&compression) {
		return false
	}
	h.SessionID = len(sessionID)
	if !h.list(&h.CipherSuites, suites) {
		return false
	}
	if len(r) == 0 { // before TLS 1.3 a hello may end here (RFC 5246, Section 7.4.1.2)
		return true
	}
	if !r.vector16(&extensions) || len(r) != 0 {
		return false
	}
	seen := make(map[uint16]struct{})
	for len(extensions) > 0 {
		var typ uint16
		var data reader
		if !extensions.uint16(&typ) || !extensions.vector16(&data) {
			return false
		}
		if _, twice := seen[typ]; twice { // RFC 8446, Section 4.2
			return false
		}
		seen[typ] = struct{}{}
		if isGREASE(typ) {
			h.GREASE = true
			continue
		}
		h.Extensions = append(h.Extensions, typ)
		if !h.extension(typ, data) {
			return false
		}
	}
	return true
}

// extension reads the data of one extension; unknown ones are left alone.
func (h *Hello) extension(typ uint16, data reader) bool {
	var list reader
	switch typ {
	case extServerName:
		return data.vector16(&list) && len(data) == 0 && h.serverName(list)
	case extSupportedGroups:
		return data.vector16(&list) && len(data) == 0 && len(list) > 0 && h.list(&h.Groups, list)
	case extSignatureAlgorithms:
		return data.vector16(&list) && len(data) == 0 && len(list) > 0 && h.list(&h.SignatureSchemes, list)
	case extALPN:
		return data.vector16(&list) && len(data) == 0 && h.protocols(list)
	case extSupportedVersions:
		return data.vector8(&list) && len(data) == 0 && len(list) > 0 && h.list(&h.Versions, list)
	case extECH:
		h.ECH = len(data) > 0 && data[0] == 0 // type outer (RFC 9849, Section 5)
	}
	return true
}

// list reads 16-bit values to the end of r and removes GREASE.
func (h *Hello) list(to *[]uint16, r reader) bool {
	*to = make([]uint16, 0, len(r)/2)
	for len(r) > 0 {
		var v uint16
		if !r.uint16(&v) {
			return false
		}
		if isGREASE(v) {
			h.GREASE = true
			continue
		}
		*to = append(*to, v)
	}
	return true
}

// protocols reads a ProtocolNameList (RFC 7301, Section 3.1).
func (h *Hello) protocols(r reader) bool {
	if len(r) == 0 {
		return false
	}
	h.ALPN = []string{}
	for len(r) > 0 {
		var name reader
		if !r.vector8(&name) || len(name) == 0 {
			return false
		}
		if len(name) == 2 && isGREASE(uint16(name[0])<<8|uint16(name[1])) {
			h.GREASE = true
			continue
		}
		h.ALPN = append(h.ALPN, string(name))
	}
	return true
}

// reader takes values off its front. Its methods return false, and take nothing,
// when it is too short.
type reader []byte

func (r *reader) skip(n int) bool {
	if len(*r) < n {
		return false
	}
	*r = (*r)[n:]
	return true
}

func (r *reader) uint8(v *uint8) bool {
	if len(*r) < 1 {
		return false
	}
	*v, *r = (*r)[0], (*r)[1:]
	return true
}

func (r *reader) uint16(v *uint16) bool {
	if len(*r) < 2 {
		return false
	}
	*v, *r = uint16((*r)[0])<<8|uint16((*r)[1]), (*r)[2:]
	return true
}

// vector8 takes a vector with a length of 8 bits.
func (r *reader) vector8(v *reader) bool {
	if len(*r) < 1 {
		return false
	}
	return r.vector(v, 1, int((*r)[0]))
}

// vector16 takes a vector with a length of 16 bits.
func (r *reader) vector16(v *reader) bool {
	if len(*r) < 2 {
		return false
	}
	return r.vector(v, 2, int((*r)[0])<<8|int((*r)[1]))
}

func (r *reader) vector(v *reader, header, length int) bool {
	if len(*r) < header+length {
		return false
	}
	*v, *r = (*r)[header:header+length], (*r)[header+length:]
	return true
}
