// Package inflate shows an IMAP session whose two ends turned to DEFLATE (COMPRESS, RFC
// 4978) as they said it, so that a recorder can read on. It watches commands and responses
// until COMPRESS is granted. Behind that it inflates both directions as octets come, and
// holds nothing back that can be inflated.
package inflate

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// Sink takes what a [Session] makes of octets.
type Sink interface {
	// Show borrows p, the next octets of a direction.
	Show(dir proto.Direction, p []byte)
	// Lost says that the next n octets as they were sent cannot be inflated: they are
	// broken, or would be too many.
	Lost(dir proto.Direction, n uint64)
}

// Session is one IMAP session. It is not safe for concurrent use.
type Session struct {
	watch   watch
	streams [2]*stream // nil until COMPRESS is granted
}

// Begins reports whether p, the first octets of an origin, is the greeting of IMAP.
func Begins(p []byte) bool { return bytes.HasPrefix(p, []byte("* ")) }

// New returns a session at its greeting.
func New() *Session { return &Session{watch: newWatch()} }

// Deflated reports whether the ends have turned to DEFLATE.
func (s *Session) Deflated() bool { return s.streams[0] != nil }

// Data takes the next octets of a direction, in the order in which they are relayed. It
// borrows p.
func (s *Session) Data(dir proto.Direction, p []byte, to Sink) {
	if !s.Deflated() {
		n := s.watch.read(dir, p)
		if n > 0 {
			to.Show(dir, p[:n])
		}
		if !s.watch.granted {
			return
		}
		s.streams = [2]*stream{newStream(), newStream()}
		p = p[n:]
	}
	if len(p) > 0 {
		s.streams[dir].write(dir, p, to)
	}
}

// End ends a direction, of which no octets follow. What its sender has not flushed is
// shown before.
func (s *Session) End(dir proto.Direction, to Sink) {
	if stream := s.streams[dir]; stream != nil {
		stream.end(dir, to)
	}
}

// Close ends the session. It must be called, and may be again.
func (s *Session) Close() {
	for _, stream := range s.streams {
		if stream != nil {
			stream.Close()
		}
	}
}
