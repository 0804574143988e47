package starttls

import (
	"bytes"
	"encoding/binary"
)

// mysql is the grammar of the connection phase of MySQL and MariaDB, as far as the
// client's first packet. If that has CLIENT_SSL set, TLS follows at once: the
// origin does not answer.
type mysql struct {
	greeted bool
}

// clientSSL is the capability, in the lower half of the flags.
const clientSSL = 0x0800

// packetHeader is the length of a packet's header: three octets of length, least
// significant first, and one of sequence number.
const packetHeader = 4

// packet returns the length of the packet at the beginning of p, header included,
// and its sequence number. more is true if p does not hold the header.
func packet(p []byte) (size int, sequence byte, more bool) {
	if len(p) < packetHeader {
		return 0, 0, true
	}
	return packetHeader + (int(p[0]) | int(p[1])<<8 | int(p[2])<<16), p[3], false
}

func (x *mysql) origin(d *Dialogue, w *writer, p []byte) {
	if x.greeted {
		w.add(len(p), false)
		return
	}
	size, sequence, more := packet(p)
	switch {
	case more:
		return
	case sequence != 0 || size > maxLine:
		d.over(w, p)
		return
	case len(p) < size:
		return
	}
	flags, ok := greetingFlags(p[packetHeader:size])
	if !ok { // an error, or no MySQL
		d.over(w, p)
		return
	}
	x.greeted = true
	d.offered = flags&clientSSL != 0
	d.omitted = !d.offered
	d.answered()
	w.add(size, false)
}

// greetingFlags returns the lower half of the capability flags in the payload of
// a greeting of protocol version 10: version string, thread identifier, first
// part of the challenge, filler, flags.
func greetingFlags(payload []byte) (flags uint16, ok bool) {
	const version = 10
	if len(payload) == 0 || payload[0] != version {
		return 0, false
	}
	end := bytes.IndexByte(payload, 0)
	if end < 0 {
		return 0, false
	}
	at := end + 1 + 4 + 8 + 1
	if len(payload) < at+2 {
		return 0, false
	}
	return binary.LittleEndian.Uint16(payload[at:]), true
}

func (x *mysql) client(d *Dialogue, w *writer, p []byte) {
	if len(p) < packetHeader+2 {
		return
	}
	size, sequence, _ := packet(p)
	flags := binary.LittleEndian.Uint16(p[packetHeader:])
	switch {
	case sequence != 1 || size < packetHeader+2 || flags&clientSSL == 0 || !d.offered:
		d.over(w, p)
	case size > maxLine: // servers take any length for a request
		d.state = Violation
	case len(p) >= size:
		d.granted()
		w.add(size, true)
	}
}
