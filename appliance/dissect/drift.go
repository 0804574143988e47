package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// drift is what matters of a session whose place is lost: who spoke last. Where the other
// side speaks then, a line begins. Behind a gap a line may begin, too. Only a line of HTTP
// is believed there: text of a message can look like a command.
type drift struct {
	last    proto.Direction
	turned  bool // the other side had spoken before
	looking bool // its octets may begin something
}

// lose ends what is open where the place in the session is lost, and why.
func (s *Session) lose(dir proto.Direction, c Cause) {
	s.missed(c)
	if s.reader != nil {
		s.reader.close(Lost)
	}
	s.reader, s.first = nil, [2][]byte{}
	s.adrift = &drift{last: dir}
}

// look looks for a place to read on.
func (s *Session) look(dir proto.Direction, p []byte) {
	d := s.adrift
	if d.last != dir {
		d.last, d.turned, d.looking, s.first = dir, true, true, [2][]byte{}
	}
	if !d.looking {
		return
	}
	taken := min(len(p), maxFirst[dir])
	s.first[dir] = append(s.first[dir], p[:taken]...)
	found, more := sniff.Midway(dir, s.first[dir])
	if s.protocol != sniff.Unknown && found != s.protocol || !d.turned && found != sniff.HTTP {
		found = sniff.Unknown
	}
	if found != sniff.Unknown {
		s.enter(found, dir, p[taken:])
	} else if !more {
		d.looking, s.first = false, [2][]byte{}
	}
}

// enter has a reader begin in the middle of a session.
func (s *Session) enter(found sniff.Protocol, dir proto.Direction, rest []byte) {
	first := s.first[dir]
	s.first, s.adrift, s.protocol = [2][]byte{}, nil, found
	if s.gaveUp == StopUnknown {
		s.gaveUp = reading // its beginning is missing, and that is known
	}
	s.reader = s.newReader(found)
	switch r := s.reader.(type) {
	case *http1Reader:
		r.deep.unsure = true
	case *smtpReader, *ftpReader:
		s.read(proto.OriginToClient, []byte("220 \r\n")) // as if it had greeted
	case *smbReader:
		r.seek()
	case *pop3Reader:
		s.read(proto.OriginToClient, []byte("+OK\r\n"))
	}
	s.read(dir, first)
	if s.reader != nil {
		s.read(dir, rest)
	} else if s.adrift != nil && len(rest) > 0 {
		s.look(dir, rest)
	}
	for d, ended := range s.ended {
		if ended && s.reader != nil {
			s.reader.end(proto.Direction(d))
		}
	}
}
