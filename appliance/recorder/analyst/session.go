package analyst

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// session is one session under way. It takes octets as a [flow.Stream], and what they say
// as a [dissect.Sink].
type session struct {
	a         *Analyst
	flow      *flow.Session
	dissector *dissect.Session
	file      *transfer // whose octets it carries; nil: a dialogue
	early     *early    // nil: it is known what it is, or not kept
	stop      string
	seq       uint64
	mark      uint64 // of the first frame
	user      string
	noted     note
	notes     int // comments that were read
	envelope  envelope
	letters   map[uint64]*event // mail messages without a reply, by exchange
	next      *transfer         // data connection that was announced, for the next command of FTP
	sockets   map[uint64]socket // by the exchange that opened them
	transfers []*transfer       // files of FTP without a last reply
	closed    bool
}

func newSession(a *Analyst, f *flow.Session) *session {
	s := &session{a: a, flow: f}
	if s.file = a.files.expected(f); s.file != nil {
		return s
	}
	s.dissector = dissect.New(s, s)
	if f.Transport == flow.UDP {
		s.dissector.Datagrams()
	}
	if f.Flags&flow.Midstream != 0 {
		s.dissector.Midway()
	}
	s.wait()
	return s
}

// Data takes octets of the session.
func (s *session) Data(dir proto.Direction, p []byte) {
	if s.file != nil {
		s.file.data(s, dir, p)
		return
	}
	s.keepEarly(dir, p, 0)
	s.dissector.Data(dir, p)
}

// Gap says that octets are lost.
func (s *session) Gap(dir proto.Direction, n uint64) {
	if s.file != nil {
		s.file.gap(s, dir, n)
		return
	}
	s.keepEarly(dir, nil, n)
	s.dissector.Gap(dir, n)
}

// End says that a direction ended in order.
func (s *session) End(dir proto.Direction) {
	if s.file == nil {
		s.dissector.End(dir)
	}
}

// Close says that the session is over.
func (s *session) Close() {
	s.unwait()
	if s.file != nil {
		s.file.close(s)
	} else {
		s.dissector.Close()
	}
	s.closed = true
	for _, e := range s.letters {
		s.done(e)
	}
	for _, t := range s.transfers {
		if t.closed {
			t.finish()
		}
	}
	if t := s.next; t != nil && t.closed && t.event == nil && len(t.held.pieces) > 0 {
		t.nameless() // no command came
	}
	s.letters, s.transfers = nil, nil
	s.a.batch.Sessions = append(s.a.batch.Sessions, s.session(false))
	delete(s.a.open, s)
}

// session returns the row of the session.
func (s *session) session(open bool) trail.Session {
	s.readNotes()
	f := s.flow
	row := trail.Session{
		ID: trail.ID(f.ID), Start: f.Start, End: f.Last, Source: s.a.cfg.Source, Client: f.Client, Server: f.Server,
		Transport: f.Transport.String(), Protocol: s.word(), VLAN: f.VLAN, Tunnel: f.Tunnel,
		Up: f.Counts[proto.ClientToOrigin].Octets, Down: f.Counts[proto.OriginToClient].Octets,
		GapUp: f.Counts[proto.ClientToOrigin].Lost, GapDown: f.Counts[proto.OriginToClient].Lost,
		Packets: f.Counts[0].Packets + f.Counts[1].Packets,
		Open:    open, Stop: s.stop, User: s.user,
		SNI: s.noted.sni, ALPN: s.noted.alpn, JA4: s.noted.ja4, TLS: s.noted.tls, Rule: s.noted.rule, Audit: s.noted.session,
	}
	for _, pair := range [...]struct {
		flow  flow.Flags
		trail trail.Flags
	}{{flow.Midstream, trail.Midstream}, {flow.Reset, trail.Reset}, {flow.Ambiguous, trail.Ambiguous}, {flow.Idle, trail.Idle}} {
		if f.Flags&pair.flow != 0 {
			row.Flags |= pair.trail
		}
	}
	return row
}

// word returns the word for the protocol.
func (s *session) word() string {
	if s.file != nil {
		return "ftp-data"
	}
	return s.dissector.Protocol()
}

// now returns the time of the packet that is read.
func (s *session) now() time.Time { return s.flow.Last }

// event begins an event.
func (s *session) event(kind string) *event {
	s.seq++
	e := &event{}
	e.Session, e.Seq, e.At, e.Kind, e.Protocol = trail.ID(s.flow.ID), s.seq, s.now(), kind, s.word()
	e.Client, e.Server = s.flow.Client, s.flow.Server
	e.ID = nameOf(e.At, e.Session, e.Seq)
	s.a.open[s] = true
	return e
}

// nameOf makes the name of the event n of a session.
func nameOf(at time.Time, session trail.ID, n uint64) (id trail.ID) {
	if !at.IsZero() {
		binary.BigEndian.PutUint64(id[:], uint64(at.UnixNano()))
	}
	h := fnv.New64a()
	h.Write(session[:])
	h.Write(binary.BigEndian.AppendUint64(nil, n))
	h.Sum(id[8:8])
	return id
}

// done hands out an event that is over.
func (s *session) done(e *event) { s.a.done(e) }

func (a *Analyst) done(e *event) {
	if e.over {
		return
	}
	e.over = true
	e.resolve()
	for i := range e.sightings {
		a.batch.Sightings = append(a.batch.Sightings, e.sightings[i].Sighting)
		if a.cfg.Examine != nil {
			a.cfg.Examine(&e.Event, &e.sightings[i].Sighting, &a.batch)
		}
	}
	a.texts = a.batch.TextOctets()
	a.batch.Objects = append(a.batch.Objects, e.objects...)
	a.batch.Events = append(a.batch.Events, e.Event)
}
