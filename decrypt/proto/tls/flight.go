// Package tls reads what a server of TLS says in the clear: its hello, its certificate up to
// TLS 1.2, and alerts (RFC 8446, RFC 5246). Package clienthello reads what a client says.
package tls

import "encoding/binary"

// Types of records and of handshake messages.
const (
	recordAlert     = 21
	recordHandshake = 22

	serverHello     = 2
	certificate     = 11
	serverHelloDone = 14
)

const (
	recordHeader  = 5
	messageHeader = 4
	maxRecord     = 1<<14 + 2048
	maxMessage    = 64 << 10 // octets of a message that are held
)

// Flight reads the first octets of a server. The zero value is ready. It is done as soon as
// what follows is encrypted, or tells nothing more.
type Flight struct {
	Version     uint16 // 0x0304 is TLS 1.3; 0: not known yet
	Suite       uint16
	ALPN        string // that the server chose, up to TLS 1.2
	Certificate []byte // the first one, in DER
	Alert       int    // that ended it, by its number; -1: none

	Done bool

	begun   bool
	header  []byte
	left    int // octets of the record at hand
	alert   bool
	message []byte
}

// Write takes the next octets, which it borrows.
func (f *Flight) Write(p []byte) {
	if !f.begun {
		f.begun, f.Alert = true, -1
	}
	for len(p) > 0 && !f.Done {
		if f.left == 0 {
			n := min(recordHeader-len(f.header), len(p))
			f.header = append(f.header, p[:n]...)
			p = p[n:]
			if len(f.header) == recordHeader {
				f.record()
			}
			continue
		}
		n := min(f.left, len(p))
		f.message = append(f.message, p[:n]...)
		f.left -= n
		p = p[n:]
		f.messages()
	}
	if f.Done {
		f.header, f.message = nil, nil
	}
}

// record begins a record.
func (f *Flight) record() {
	h := f.header
	f.header = f.header[:0]
	f.left = int(binary.BigEndian.Uint16(h[3:]))
	f.alert = h[0] == recordAlert
	if h[0] != recordHandshake && !f.alert || h[1] != 3 || f.left == 0 || f.left > maxRecord || len(f.message) > maxMessage {
		f.Done = true
	}
}

// messages reads the messages that are whole.
func (f *Flight) messages() {
	if f.alert {
		if len(f.message) >= 2 {
			f.Alert, f.Done = int(f.message[1]), true
		}
		return
	}
	for len(f.message) >= messageHeader && !f.Done {
		n := int(f.message[1])<<16 | int(f.message[2])<<8 | int(f.message[3])
		if n > maxMessage {
			f.Done = true
			return
		}
		if len(f.message) < messageHeader+n {
			return
		}
		f.read(f.message[0], f.message[messageHeader:messageHeader+n])
		f.message = f.message[messageHeader+n:]
	}
}

func (f *Flight) read(kind byte, b []byte) {
	switch kind {
	case serverHello:
		f.Done = !f.hello(b) || f.Version >= 0x0304
	case certificate:
		// A list with its length, of certificates with theirs (RFC 5246, Section 7.4.2).
		if len(b) >= 6 {
			if n := int(b[3])<<16 | int(b[4])<<8 | int(b[5]); n <= len(b)-6 {
				f.Certificate = append([]byte(nil), b[6:6+n]...)
			}
		}
		f.Done = true
	case serverHelloDone:
		f.Done = true
	}
}

// hello reads a ServerHello (RFC 8446, Section 4.1.3).
func (f *Flight) hello(b []byte) bool {
	const toSession = 34
	if len(b) < toSession+1 {
		return false
	}
	session := int(b[toSession])
	if b[0] != 3 || len(b) < toSession+1+session+3 {
		return false
	}
	f.Version = binary.BigEndian.Uint16(b)
	b = b[toSession+1+session:]
	f.Suite = binary.BigEndian.Uint16(b)
	if b = b[3:]; len(b) < 2 {
		return true
	}
	for b = b[2:]; len(b) >= 4; {
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b)-4 {
			return true
		}
		f.extension(kind, b[4:4+n])
		b = b[4+n:]
	}
	return true
}

func (f *Flight) extension(kind uint16, data []byte) {
	const alpn, supportedVersions = 16, 43
	switch {
	case kind == supportedVersions && len(data) == 2:
		f.Version = binary.BigEndian.Uint16(data)
	case kind == alpn && len(data) > 3 && int(data[2]) == len(data)-3:
		f.ALPN = string(data[3:])
	}
}

// VersionName returns the name of a version, such as "1.3"; "" for others.
func VersionName(v uint16) string {
	switch v {
	case 0x0304:
		return "1.3"
	case 0x0303:
		return "1.2"
	case 0x0302:
		return "1.1"
	case 0x0301:
		return "1.0"
	case 0x0300:
		return "ssl 3.0"
	}
	return ""
}
