// Package mysql renders the cleartext of a MySQL session that turned to TLS as a
// session without TLS. The client's request for TLS is a packet of its own and has a
// sequence number. If it is left out, the packets of the login have sequence numbers
// that are one too high, and the login says that TLS follows. Readers then take the
// login for a command, or the rest for TLS.
package mysql

import "github.com/clearspan/clearspan/mirror"

// SequenceShift changes the octets of one session behind its request for TLS, up to
// the first command: it lowers sequence numbers by one and clears one flag of the
// login. The number of octets stays. The zero value is ready. Not safe for
// concurrent use.
type SequenceShift struct {
	over    bool // a command has begun
	sides   [2]side
	scratch []byte
}

// side is where a direction stands in its packets.
type side struct {
	n       int  // octets of the header at hand
	length  int  // of the payload, as far as the header is known
	payload int  // octets of the payload gone by
	login   bool // the first packet is over
}

// header is the length of a packet's header: three octets of length, least
// significant first, and one of sequence number (MySQL Internals, Protocol Basics).
const header = 4

// clientSSL is the flag in the second octet of the client's capabilities.
const clientSSL = 0x08

// Rewrite returns p as recorders shall see it: p itself, which it borrows, or octets
// that are valid until the next call. Behind the first command it costs nothing.
func (s *SequenceShift) Rewrite(dir mirror.Direction, p []byte) []byte {
	if s.over || len(p) == 0 {
		return p
	}
	s.scratch = append(s.scratch[:0], p...)
	side := &s.sides[dir&1]
	for rest := s.scratch; len(rest) > 0 && !s.over; {
		if side.n < header {
			s.over = side.number(rest[0])
			if side.n == header && !s.over {
				rest[0]--
			}
			rest = rest[1:]
		} else {
			run := rest[:min(len(rest), side.length-side.payload)]
			if at := 1 - side.payload; !side.login && dir == mirror.ClientToOrigin && at >= 0 && at < len(run) {
				run[at] &^= clientSSL
			}
			side.payload += len(run)
			rest = rest[len(run):]
		}
		side.finish()
	}
	out := s.scratch
	if s.over {
		s.scratch = nil
	}
	return out
}

// number takes an octet of a header. It reports whether the octet is the sequence
// number of a command: commands count from zero.
func (s *side) number(c byte) (command bool) {
	if s.n++; s.n < header {
		s.length |= int(c) << (8 * (s.n - 1))
		return false
	}
	return c == 0
}

// finish begins the next packet behind a whole one.
func (s *side) finish() {
	if s.n == header && s.payload == s.length {
		*s = side{login: true}
	}
}
