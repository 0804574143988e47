// Package mysql renders the cleartext of a MySQL session that turned to TLS as a
// session without TLS. The client's request for TLS is a packet of its own and has a
// sequence number. If it is left out, the packets of the login have sequence numbers
// that are one too high, and the login says that TLS follows. Readers then take the
// login for a command, or the rest for TLS.
package mysql

import "github.com/clearspan/clearspan/mirror"

// Disguise changes the octets of one session behind its request for TLS, up to the
// first command: sequence numbers, and one flag of the login. It changes the number
// of none. The zero value is ready. Not safe for concurrent use.
type Disguise struct {
	over    bool // a command has begun
	sides   [2]side
	scratch []byte
}

// side is where a direction stands in its packets.
type side struct {
	n       int  // octets of the header at hand, and of what follows it
	length  int  // of the payload, as far as the header is known
	payload int  // octets of the payload gone by
	login   bool // the first packet has begun
}

// header is the length of a packet's header: three octets of length, least
// significant first, and one of sequence number (MySQL Internals, Protocol Basics).
const header = 4

// clientSSL is the flag in the second octet of the client's capabilities.
const clientSSL = 0x08

// Rewrite returns p as recorders shall see it: p itself, which it borrows, or octets
// that are valid until the next call. Behind the first command it costs nothing.
func (d *Disguise) Rewrite(dir mirror.Direction, p []byte) []byte {
	if d.over || len(p) == 0 {
		return p
	}
	d.scratch = append(d.scratch[:0], p...)
	s := &d.sides[dir&1]
	for i := 0; i < len(p); {
		if s.n == header {
			run := min(len(p)-i, s.length-s.payload)
			if at := 1 - s.payload; !s.login && dir == mirror.ClientToOrigin && at >= 0 && at < run {
				d.scratch[i+at] &^= clientSSL
			}
			s.payload += run
			i += run
			if s.payload == s.length {
				*s = side{login: true}
			}
			continue
		}
		if s.n < header-1 {
			s.length |= int(p[i]) << (8 * s.n)
		} else if p[i] == 0 { // commands count from zero
			d.over = true
			break
		} else {
			d.scratch[i]--
		}
		s.n++
		i++
		if s.n == header && s.length == 0 {
			*s = side{login: true}
		}
	}
	out := d.scratch
	if d.over {
		d.scratch = nil
	}
	return out
}
