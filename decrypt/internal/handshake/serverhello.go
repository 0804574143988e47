package handshake

import "encoding/binary"

// extRenegotiation is the extension renegotiation_info (RFC 5746, Section 3.2).
const extRenegotiation = 0xff01

// indicatesRenegotiation reports whether b, the first octets of an origin, hold a
// ServerHello with the extension renegotiation_info. more says that b may become one.
func indicatesRenegotiation(b []byte) (bound, more bool) {
	message, more := serverHello(b)
	if message == nil {
		return false, more
	}
	// Version, random, session identifier, suite, compression, extensions (RFC 5246,
	// Section 7.4.1.3).
	const before = 2 + 32
	if len(message) < before+1 {
		return false, false
	}
	at := before + 1 + int(message[before]) + 2 + 1
	if len(message) < at+2 {
		return false, false // there are no extensions
	}
	extensions := message[at+2:]
	for len(extensions) >= 4 {
		kind, size := binary.BigEndian.Uint16(extensions), 4+int(binary.BigEndian.Uint16(extensions[2:]))
		if kind == extRenegotiation {
			return true, false
		}
		if size > len(extensions) {
			break
		}
		extensions = extensions[size:]
	}
	return false, false
}

// serverHello gathers the body of the ServerHello with which b begins, from its records.
// It is nil if there is none, or not yet the whole of one: more tells.
func serverHello(b []byte) (body []byte, more bool) {
	const typeServerHello, messageHeader = 2, 4
	for {
		if len(body) >= messageHeader {
			need := messageHeader + int(body[1])<<16 + int(body[2])<<8 + int(body[3])
			if body[0] != typeServerHello {
				return nil, false
			}
			if len(body) >= need {
				return body[messageHeader:need], false
			}
		}
		if len(b) < recordHeader {
			return nil, true
		}
		size := int(binary.BigEndian.Uint16(b[3:]))
		if b[0] != recordHandshake || size == 0 {
			return nil, false
		}
		part := b[recordHeader:min(len(b), recordHeader+size)]
		body = append(body, part...)
		if len(part) < size { // the hello may be complete, though its record is not
			b = nil
		} else {
			b = b[recordHeader+size:]
		}
	}
}
