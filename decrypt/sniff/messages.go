package sniff

import "encoding/binary"

// isMQTT wants a CONNECT packet up to its flags (MQTT 5.0, Section 3.1; MQTT 3.1 and
// 3.1.1 alike).
func isMQTT(b []byte) match {
	const connect, reserved = 0x10, 0x01
	if len(b) == 0 {
		return maybe
	}
	if b[0] != connect {
		return no
	}
	length, n := remaining(b[1:])
	switch {
	case n < 0:
		return no
	case n == 0:
		return maybe
	}
	v := b[1+n:]
	name := "\x00\x04MQTT"
	if len(v) > 1 && v[1] == 6 {
		name = "\x00\x06MQIsdp"
	}
	if m := prefix(v, name); m != yes {
		return m
	}
	if v = v[len(name):]; len(v) < 2 {
		return maybe
	}
	if length < len(name)+6 || v[0] < 3 || v[0] > 5 || v[1]&reserved != 0 {
		return no
	}
	return yes
}

// remaining reads the length of an MQTT packet, in n octets: 0 if they are not all
// there, -1 if it is none.
func remaining(b []byte) (length, n int) {
	for i := range min(len(b), 4) {
		length |= int(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return length, i + 1
		}
	}
	if len(b) >= 4 {
		return 0, -1
	}
	return 0, 0
}

// isAMQP wants a protocol header of AMQP 0-9-1 or 1.0.
func isAMQP(b []byte) match {
	best := no
	for _, header := range []string{"AMQP\x00\x00\x09\x01", "AMQP\x00\x01\x00\x00", "AMQP\x02\x01\x00\x00", "AMQP\x03\x01\x00\x00"} {
		best = max(best, prefix(b, header))
	}
	return best
}

// isMongoDB wants the header of a message that answers none: OP_MSG, OP_COMPRESSED or
// OP_QUERY (MongoDB Wire Protocol).
func isMongoDB(b []byte) match {
	if len(b) >= 12 && binary.LittleEndian.Uint32(b[8:]) != 0 {
		return no
	}
	return mongoHeader(b)
}

// mongoHeader wants the header of any message.
func mongoHeader(b []byte) match {
	const maxMessage = 48 << 20 // octets
	if len(b) >= 4 {
		if n := binary.LittleEndian.Uint32(b); n <= 16 || n > maxMessage {
			return no
		}
	}
	if len(b) < 16 {
		return maybe
	}
	switch binary.LittleEndian.Uint32(b[12:]) {
	case 1, 2004, 2012, 2013:
		return yes
	}
	return no
}

// isKafka wants the header of a request that begins a connection: Metadata,
// SaslHandshake or ApiVersions, with a printable client identifier (Kafka protocol guide,
// Request Header).
func isKafka(b []byte) match {
	const maxRequest, maxVersion, maxName = 64 << 10, 20, 255
	if len(b) >= 4 {
		if n := binary.BigEndian.Uint32(b); n < 10 || n > maxRequest {
			return no
		}
	}
	if len(b) < 14 {
		return maybe
	}
	switch binary.BigEndian.Uint16(b[4:]) {
	case 3, 17, 18:
	default:
		return no
	}
	name := int(int16(binary.BigEndian.Uint16(b[12:])))
	if binary.BigEndian.Uint16(b[6:]) > maxVersion || name < -1 || name > maxName {
		return no
	}
	for _, c := range b[14:min(len(b), 14+max(name, 0))] {
		if c < ' ' || c > '~' {
			return no
		}
	}
	return yes
}

// isCassandra wants the header of a frame OPTIONS or STARTUP of versions 3 to 5 (CQL
// binary protocol, Section 2).
func isCassandra(b []byte) match {
	const startup, options, maxBody = 1, 5, 64 << 10
	switch {
	case len(b) > 0 && (b[0] < 3 || b[0] > 5), len(b) > 1 && b[1]&^0x1f != 0, len(b) > 4 && b[4] != startup && b[4] != options:
		return no
	case len(b) < 9:
		return maybe
	case binary.BigEndian.Uint32(b[5:]) > maxBody:
		return no
	}
	return yes
}

// isTDS wants the header of a PRELOGIN packet, and the first option behind it (MS-TDS,
// Sections 2.2.3.1 and 2.2.6.5).
func isTDS(b []byte) match {
	if m := prefix(b, "\x12\x01"); m != yes {
		return m
	}
	if len(b) < 11 {
		return maybe
	}
	if n := binary.BigEndian.Uint16(b[2:]); n < 20 || n > 4096 || b[4] != 0 || b[5] != 0 || b[7] != 0 || b[8] != 0 || b[9] != 0 {
		return no
	}
	return yes
}

// isTNS wants the header of a connect packet, and a version behind it.
func isTNS(b []byte) match {
	const minVersion, maxVersion = 300, 400
	switch {
	case len(b) >= 5 && (b[2] != 0 || b[3] != 0 || b[4] != 1):
		return no
	case len(b) >= 8 && (b[6] != 0 || b[7] != 0):
		return no
	case len(b) < 10:
		return maybe
	}
	length, version := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[8:])
	if length < 26 || length > 4096 || version < minVersion || version > maxVersion {
		return no
	}
	return yes
}

// isSMB wants a message of SMB 1, 2 or 3 in a packet of a session (MS-SMB2, Section
// 2.1).
func isSMB(b []byte) match {
	switch {
	case len(b) > 0 && b[0] != 0, len(b) > 1 && b[1] > 1:
		return no
	case len(b) < 5:
		return maybe
	}
	return max(prefix(b[4:], "\xffSMB"), prefix(b[4:], "\xfeSMB"), prefix(b[4:], "\xfdSMB"))
}

// isDNS wants a query with one question behind its length (RFC 1035, Sections 4.1.1 and
// 4.2.2).
func isDNS(b []byte) match { return dns(b, 0) }

// dns is isDNS for a message whose bit QR is as given.
func dns(b []byte, response byte) match {
	const header, minQuestion, maxAdditional = 12, 5, 4
	switch {
	case len(b) >= 2 && binary.BigEndian.Uint16(b) < header+minQuestion:
		return no
	case len(b) >= 6 && (b[4]&0xf8 != response || b[5]&0x40 != 0): // opcode QUERY
		return no
	case len(b) < 2+header:
		return maybe
	case binary.BigEndian.Uint16(b[6:]) != 1:
		return no
	case response == 0 && (binary.BigEndian.Uint32(b[8:]) != 0 || binary.BigEndian.Uint16(b[12:]) > maxAdditional):
		return no
	}
	return yes
}
