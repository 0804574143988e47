package starttls

import "encoding/binary"

// postgresql is the grammar of the messages before a session of PostgreSQL
// (documentation, Sections "SSL Session Encryption" and "GSSAPI Session
// Encryption"). There is no announcement: a client asks, and the origin answers
// with one octet.
type postgresql struct {
	asked uint32 // code of the request without an answer, 0 for none
}

// Codes in place of a protocol version.
const (
	sslRequest    = 80877103
	gssEncRequest = 80877104
)

const requestLength = 8 // of both

func (x *postgresql) client(d *Dialogue, w *writer, p []byte) {
	if len(p) < requestLength {
		if end := min(len(p), 4); string(p[:end]) != "\x00\x00\x00\x08"[:end] {
			d.over(w, p)
		}
		return
	}
	length, code := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
	switch {
	case length == requestLength && code == sslRequest:
		x.asked = code
		d.state = Requested
		w.add(requestLength, true)
	case length == requestLength && code == gssEncRequest:
		x.asked = code
		d.await()
		w.add(requestLength, false)
	default: // the session begins
		d.over(w, p)
	}
}

func (x *postgresql) origin(d *Dialogue, w *writer, p []byte) {
	code := x.asked
	x.asked = 0
	switch {
	case code == sslRequest && p[0] == 'S':
		d.granted()
		w.add(1, true)
	case code == sslRequest && p[0] == 'N':
		d.refuse()
		w.add(1, true)
	case code == gssEncRequest && p[0] == 'N':
		d.answered()
		w.add(1, false)
	default: // an error, GSSAPI, or no PostgreSQL
		d.refused = code == sslRequest
		d.answered()
		d.over(w, p)
	}
}
