package dissect

import "github.com/clearspan/clearspan/decrypt/proto"

// letter is a mail message without an envelope, while it is under way.
type letter struct {
	message Exchange
	header  mailHeader
	dir     proto.Direction
}

// newLetter begins a message.
func newLetter(s *Session, dir proto.Direction) *letter {
	l := &letter{dir: dir}
	s.open(&l.message)
	s.event().message = Message{Exchange: &l.message, Fetched: dir == proto.OriginToClient}
	s.sink.Event(&s.event().message)
	return l
}

// content takes content of the message.
func (l *letter) content(s *Session, p []byte) {
	s.content(&l.message, l.dir, p)
	if l.header.add(p) {
		l.tell(s)
	}
}

// hole says that n octets of content are lost.
func (l *letter) hole(s *Session, n uint64) {
	s.hole(&l.message, l.dir, n)
	if !l.header.whole {
		l.tell(s)
		l.header.whole = true
	}
}

// tell tells of the header.
func (l *letter) tell(s *Session) {
	s.event().header = Header{Exchange: &l.message, Section: l.header.octets}
	s.sink.Event(&s.event().header)
	l.header.octets = nil
}

// end ends the message.
func (l *letter) end(s *Session, how Ending) {
	if !l.header.whole {
		l.tell(s)
	}
	s.end(&l.message, l.dir, how)
}
