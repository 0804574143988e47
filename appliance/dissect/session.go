// Package dissect tells what the cleartext of a session says: web requests with their
// answers (HTTP/1, HTTP/2), messages of WebSocket, mail messages (SMTP, IMAP, POP3), logins
// (SMTP, IMAP, POP3, FTP, HTTP, SMB), the names of files (FTP) and files (SMB, if somebody
// asks for contents). If somebody does, it tells of lookups of DNS, and of the handshakes of
// TLS and QUIC, too: their sessions stay closed.
//
// A [Session] is fed octets, gaps and ends of both directions, in order. It calls a
// [Sink] with events. If somebody asks, it hands out contents, too: by reference,
// without a copy. It passes over contents without an allocation.
//
// The package knows no frames and no storage, does no I/O and starts no goroutine.
// Syntax is for the readers below decrypt/proto to know. They are loose here,
// because a dissector only watches. The memory of a session is bounded for any
// input. A session that breaks its protocol, or a bound, is not read on, and its
// last event says so.
//
// If somebody asks for contents, a session is read on behind an upgrade and in a tunnel:
// WebSocket, HTTP/2 in cleartext, and whatever a granted CONNECT carries, also in a stream of
// HTTP/2. The octets of an FTP data connection are the file: they need no [Session]. A
// [Channel] tells which connection it is, and the [Command] behind it what it carries.
//
// # Gaps
//
// A gap is a run of octets that are lost. What it does depends on the place:
//
//   - HTTP/1, in content: content with a length, or up to the end of the session,
//     goes on with a hole. So does chunked content if the gap lies within a chunk.
//     Any other gap hides where the content ends. If somebody asks for contents, the
//     next chunk is looked for by its framing, and the size of the hole is a guess.
//   - HTTP/1, elsewhere: the reader stops, because requests and answers would no
//     longer match.
//   - HTTP/2, within the payload of a DATA frame: the content goes on with a hole.
//   - HTTP/2, elsewhere: the reader stops, because header compression depends on all
//     blocks before. Frames without meaning to the reader are an exception.
//   - SMTP, in a message: it goes on with a hole. In a message of DATA the gap may
//     hide the end. A reply of the server then ends the message.
//   - SMTP, elsewhere: the reader stops. What is lost may begin a message, and its
//     text would pass for commands.
//   - IMAP, in a literal: a message goes on with a hole.
//   - IMAP, of the client before its first word: the responses are read. It may be that
//     nothing of the client is captured.
//   - IMAP elsewhere, POP3 and FTP: the reader stops.
//   - WebSocket, in a message: it goes on with a hole, unless it is deflated. Elsewhere the
//     direction is not read on.
//   - SMB, in what is read or written: the file goes on with a hole. Elsewhere the messages
//     are lost that the gap hides, and the reader goes on at the next packet.
//   - Before the protocol is known: the reader stops.
//
// If somebody asks for contents, a reader that stops at a gap is not the end. What is open
// ends as [Lost]. Another reader begins at a request or an answer of HTTP/1 right behind the
// gap, or where one direction speaks behind the other with one of these, or with a command
// that needs none before it. The session has the cause [StopGap] in any case.
package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Session dissects one session. It is not safe for concurrent use. Make one by [New].
type Session struct {
	sink      Sink
	contents  Contents  // nil: nobody asks
	reader    reader    // nil: the protocol is not known yet, or the session is not read on
	number    uint64    // of the last exchange
	first     [2][]byte // octets from before the protocol was known
	events    *events   // in use within a call
	adrift    *drift    // nil unless the place in the session is lost
	outer     *Session  // in a stream of which this session is; nil: in none
	ended     [2]bool
	stopped   bool
	brief     bool
	turning   bool   // the client has asked for TLS
	datagrams int    // that were looked at, and 1; 0: it is no session of UDP
	word      string // for a protocol that package sniff does not know
	midway    bool   // its beginning is missing
	protocol  sniff.Protocol
	socket    bool  // it is WebSocket now
	tunnels   uint8 // upgrades and CONNECTs before
	gaveUp    Cause // why a part of the session is not read
}

// reader follows one protocol. What data and gap return is why the session cannot be
// read on; the zero Cause if it can.
type reader interface {
	data(dir proto.Direction, p []byte) Cause // borrows p
	gap(dir proto.Direction, n uint64) Cause
	end(dir proto.Direction) // in order, after the last octet of a direction
	close(how Ending)        // ends all that is open
}

// New returns a Session at its beginning. contents may be nil: then nobody asks for
// contents: the session passes over them, and is not read on behind an upgrade.
func New(sink Sink, contents Contents) *Session { return &Session{sink: sink, contents: contents} }

// Protocol returns the word for the protocol that is read, such as "smtp"; "" as long as
// it is not known, or if the package does not read it.
func (s *Session) Protocol() string {
	if s.socket {
		return "websocket"
	}
	if s.word != "" {
		return s.word
	}
	return s.protocol.String()
}

// Brief tells that the sink needs no more than the number of requests. A reader to
// which this is cheaper then reports requests without fields and no other event of
// them; nothing more comes of the exchanges that are open. The sink may call it
// within an event.
func (s *Session) Brief() { s.brief = true }

// Data reads octets of one direction, in the order in which they were sent. It
// borrows p until it returns.
func (s *Session) Data(dir proto.Direction, p []byte) {
	switch {
	case s.stopped || s.ended[dir] || len(p) == 0:
	case s.datagrams > 0:
		s.datagram(dir, p)
	case s.adrift != nil:
		s.look(dir, p)
	case s.reader == nil:
		s.recognize(dir, p)
	default:
		s.read(dir, p)
	}
	s.rest()
}

// Midway says that the beginning of the session is missing. Call it before the first octets.
// The session is then read from the first request, answer or command on. It changes nothing
// if nobody asks for contents.
func (s *Session) Midway() { s.midway = s.contents != nil }

// read hands octets to the reader.
func (s *Session) read(dir proto.Direction, p []byte) {
	if len(p) > 0 && s.reader != nil {
		if s.turning && dir == proto.ClientToOrigin {
			s.turn(p[0])
		}
		s.check(dir, s.reader.data(dir, p))
	}
}

// Gap says that n octets of one direction are lost, behind those that were read.
func (s *Session) Gap(dir proto.Direction, n uint64) {
	switch {
	case s.stopped || s.ended[dir] || n == 0:
	case s.reader == nil:
		s.check(dir, StopGap)
	default:
		s.check(dir, s.reader.gap(dir, n))
	}
	if s.adrift != nil {
		s.adrift, s.first = &drift{last: dir, looking: true}, [2][]byte{}
	}
	s.rest()
}

// End says that one direction ended in order, by a FIN or a close_notify.
func (s *Session) End(dir proto.Direction) {
	if s.stopped || s.ended[dir] {
		return
	}
	s.ended[dir] = true
	if s.reader != nil {
		s.reader.end(dir)
	}
	s.rest()
}

// Close says that the session is over in both directions: after their ends, or by a
// reset, or because nothing more is known of it. Later calls do nothing.
func (s *Session) Close() {
	s.stop(StopEnded)
	s.rest()
}

// check stops if there is a cause. Behind a gap, it looks for a place to read on.
func (s *Session) check(dir proto.Direction, c Cause) {
	switch {
	case c == reading || s.stopped:
	case c == StopGap && s.contents != nil:
		s.lose(dir, StopGap)
	default:
		s.stop(c)
	}
}

// stop ends all that is open. It is the end of the session for the sink.
func (s *Session) stop(c Cause) {
	if s.stopped {
		return
	}
	s.stopped = true
	if s.reader != nil {
		s.reader.close(c.ending())
	}
	s.reader, s.first, s.adrift = nil, [2][]byte{}, nil
	switch {
	case c == StopUnknown && s.tunnels > 0:
		c = StopUpgraded
	case c == StopEnded && s.gaveUp != reading:
		c = s.gaveUp
	}
	if s.outer != nil {
		if c == StopGap || c == StopBroken || c == StopBound {
			s.outer.missed(c)
		}
		return
	}
	e := &s.event().stop
	e.Cause = c
	s.sink.Event(e)
}

// missed notes that a part of the session is not read, and why.
func (s *Session) missed(c Cause) {
	if s.gaveUp == reading {
		s.gaveUp = c
	}
}

// open gives an exchange its number. It clears what was left of an earlier one.
func (s *Session) open(x *Exchange) {
	s.number++
	x.Number, x.Tag = s.number, nil
	x.octets, x.holes, x.over = [2]uint64{}, [2]uint64{}, [2]bool{}
}

// content notes octets of content.
func (s *Session) content(x *Exchange, dir proto.Direction, p []byte) {
	x.octets[dir] += uint64(len(p))
	if s.contents != nil && len(p) > 0 {
		s.contents.Content(x, dir, p)
	}
}

// hole notes octets of content that are lost.
func (s *Session) hole(x *Exchange, dir proto.Direction, n uint64) {
	x.octets[dir] += n
	x.holes[dir] += n
	if s.contents != nil && n > 0 {
		s.contents.Hole(x, dir, n)
	}
}

// end ends one message of an exchange, once.
func (s *Session) end(x *Exchange, dir proto.Direction, how Ending) {
	if x.over[dir] {
		return
	}
	x.over[dir] = true
	e := &s.event().end
	e.Exchange, e.Direction, e.Octets, e.Lost, e.How = x, dir, x.octets[dir], x.holes[dir], how
	s.sink.Event(e)
}
