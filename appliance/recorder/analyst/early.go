package analyst

import (
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// early is what came on a connection before it is known what it is for. Captures may show a
// data connection of FTP in front of the line that announces it.
type early struct {
	pieces []piece
	size   int
}

// piece is octets of a direction, or of a gap.
type piece struct {
	dir proto.Direction
	p   []byte
	gap uint64
}

const (
	maxEarly  = 256 << 10       // octets of a connection
	earlyTime = 5 * time.Second // from its beginning on
	leastData = 1024            // ports of data connections begin there
)

// add keeps octets, which it copies. It returns false if they are too many.
func (e *early) add(dir proto.Direction, p []byte, gap uint64) bool {
	if e.size += len(p); e.size > maxEarly {
		return false
	}
	e.pieces = append(e.pieces, piece{dir, append([]byte(nil), p...), gap})
	return true
}

// mayCarry reports whether a session may be a data connection that is not announced yet.
func mayCarry(f *flow.Session) bool { return f.Transport == flow.TCP && f.Server.Port() >= leastData }

// wait begins to keep what comes on a session.
func (s *session) wait() {
	if !mayCarry(s.flow) || len(s.a.files.unclaimed) >= maxExpected {
		return
	}
	if s.a.files.unclaimed == nil {
		s.a.files.unclaimed = make(map[flowServer]*session)
	}
	s.early = &early{}
	s.a.files.unclaimed[s.flow.Server] = s
}

// keepEarly keeps octets of a session as long as it may be a data connection.
func (s *session) keepEarly(dir proto.Direction, p []byte, gap uint64) {
	if s.early != nil && (s.dissector.Protocol() != "" || s.now().Sub(s.flow.Start) > earlyTime || !s.early.add(dir, p, gap)) {
		s.unwait()
	}
}

// unwait forgets what was kept.
func (s *session) unwait() {
	if s.early == nil {
		return
	}
	s.early = nil
	if s.a.files.unclaimed[s.flow.Server] == s {
		delete(s.a.files.unclaimed, s.flow.Server)
	}
}

// claim has a session be a data connection after all.
func (t *transfer) claim(s *session) {
	kept := s.early.pieces
	s.unwait()
	s.dissector.Close() // it has told nothing
	s.stop = ""
	s.file, t.opened = t, true
	for _, x := range kept {
		if x.gap > 0 {
			t.gap(s, x.dir, x.gap)
		} else {
			t.data(s, x.dir, x.p)
		}
	}
}
