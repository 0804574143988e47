package engine

import (
	"container/list"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// Table follows the sessions of records. It is not safe for concurrent use.
type Table struct {
	handler flow.Handler
	limit   int
	idle    time.Duration
	open    map[flow.ID]*session
	silent  list.List // of *session, the one that was silent for longest first
	clock   flow.Clock
	records uint64
	begun   uint64           // sessions
	over    map[flow.ID]bool // the last ones that closed: what is sent again is no new session
	last    []flow.ID        // those, the oldest at next
	next    int
}

// session is one that is open.
type session struct {
	flow.Session
	sender uint64
	stream flow.Stream // nil: nobody wants it
	have   [2]uint64   // octets that were told or lost
	ended  [2]bool
	heard  int64 // when something was heard of it, by the clock of the table
	place  *list.Element
}

// Limits of sessions, as those of [flow.Config].
const (
	maxSessions = 1_000_000
	maxIdle     = 25 * time.Hour // the engine says when a session is over
	maxComments = 4
	maxOver     = 16 << 10
)

// NewTable returns an empty table.
func NewTable(h flow.Handler) *Table {
	return &Table{handler: h, limit: maxSessions, idle: maxIdle, open: make(map[flow.ID]*session), over: make(map[flow.ID]bool)}
}

// Add takes the next record of a volume. It returns false if it is none.
func (t *Table) Add(p []byte, at time.Time, comment string) bool {
	r, err := Parse(p)
	if err != nil {
		return false
	}
	t.records++
	if t.clock.Tick(at, t.idle+time.Second) {
		t.expire()
	}
	switch r.Kind {
	case Open:
		t.begin(&r, at, comment)
		return true
	case Gone:
		t.gone(r.Sender)
		return true
	}
	s := t.open[r.Session]
	if s == nil {
		return true // its beginning lies in a volume that is gone, or it is over
	}
	s.Last, s.heard = at, t.clock.Elapsed()
	t.silent.MoveToBack(s.place)
	s.note(comment)
	switch r.Kind {
	case Data:
		s.data(&r)
	case End:
		s.reach(r.Direction, r.Offset)
		s.end(r.Direction)
	case Close:
		s.reach(proto.ClientToOrigin, r.Sizes[0])
		s.reach(proto.OriginToClient, r.Sizes[1])
		if r.Reset {
			s.Flags |= flow.Reset
		}
		t.close(s)
	}
	return true
}

// begin begins a session, unless the record came before.
func (t *Table) begin(r *Record, at time.Time, comment string) {
	if t.open[r.Session] != nil || t.over[r.Session] {
		return
	}
	if len(t.open) >= t.limit {
		s := t.silent.Front().Value.(*session)
		s.Flags |= flow.Idle
		t.close(s)
	}
	s := &session{sender: r.Sender, heard: t.clock.Elapsed()}
	s.Session = flow.Session{ID: r.Session, Client: r.Client, Server: r.Server, Transport: flow.TCP, Start: at, Last: at}
	s.note(comment)
	t.begun++
	s.place = t.silent.PushBack(s)
	t.open[r.Session] = s
	s.stream = t.handler.Open(&s.Session)
}

func (s *session) note(comment string) {
	if comment != "" && len(s.Comments) < maxComments {
		s.Comments = append(s.Comments, comment)
	}
}

// data tells octets that were not told before.
func (s *session) data(r *Record) {
	s.reach(r.Direction, r.Offset)
	p := r.Octets
	if again := s.have[r.Direction] - r.Offset; again < uint64(len(p)) {
		p = p[again:]
	} else {
		return
	}
	if s.ended[r.Direction] {
		return
	}
	s.have[r.Direction] += uint64(len(p))
	c := &s.Counts[r.Direction]
	c.Packets++
	c.Octets += uint64(len(p))
	if s.stream != nil {
		s.stream.Data(r.Direction, p)
	}
}

// reach tells a gap, if octets before an offset did not come.
func (s *session) reach(dir proto.Direction, offset uint64) {
	if offset <= s.have[dir] || s.ended[dir] {
		return
	}
	n := offset - s.have[dir]
	s.have[dir] = offset
	s.Counts[dir].Lost += n
	if s.stream != nil {
		s.stream.Gap(dir, n)
	}
}

func (s *session) end(dir proto.Direction) {
	if s.ended[dir] {
		return
	}
	s.ended[dir] = true
	if s.stream != nil {
		s.stream.End(dir)
	}
}

// gone closes the sessions of a sender.
func (t *Table) gone(sender uint64) {
	for e := t.silent.Front(); e != nil; {
		s := e.Value.(*session)
		e = e.Next()
		if s.sender == sender {
			t.close(s)
		}
	}
}

func (t *Table) close(s *session) {
	delete(t.open, s.ID)
	t.remember(s.ID)
	t.silent.Remove(s.place)
	if s.stream != nil {
		s.stream.Close()
	}
}

// expire closes sessions of which nothing was heard.
func (t *Table) expire() {
	for e := t.silent.Front(); e != nil; e = t.silent.Front() {
		s := e.Value.(*session)
		if t.clock.Elapsed()-s.heard <= t.idle.Milliseconds() {
			return
		}
		s.Flags |= flow.Idle
		t.close(s)
	}
}

// Close closes all sessions.
func (t *Table) Close() {
	for e := t.silent.Front(); e != nil; e = t.silent.Front() {
		t.close(e.Value.(*session))
	}
}

// Records returns how many there were.
func (t *Table) Records() uint64 { return t.records }

// remember notes that a session is over.
func (t *Table) remember(id flow.ID) {
	if len(t.last) < maxOver {
		t.last = append(t.last, id)
	} else {
		delete(t.over, t.last[t.next])
		t.last[t.next] = id
		t.next = (t.next + 1) % maxOver
	}
	t.over[id] = true
}

// Sessions returns how many there were.
func (t *Table) Sessions() uint64 { return t.begun }
