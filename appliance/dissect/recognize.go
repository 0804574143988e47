package dissect

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// maxFirst is how many octets of each direction the protocol is told from, as package
// sniff looks at them.
var maxFirst = [2]int{http1.MaxStart, 512}

// recognize tells the protocol from the first octets: the client's, or a greeting.
func (s *Session) recognize(dir proto.Direction, p []byte) {
	taken := min(len(p), maxFirst[dir])
	s.first[dir] = append(s.first[dir], p[:taken]...)
	head := s.first[dir]
	var found sniff.Protocol
	var more bool
	if dir == proto.ClientToOrigin {
		found, more = sniff.Client(head)
	} else {
		found, more = sniff.Origin(head)
	}
	if found == sniff.Unknown && !more && dir == proto.ClientToOrigin && s.contents != nil && len(s.first[proto.OriginToClient]) == 0 {
		found, more = sniff.Begins(head)
	}
	found, more = s.greeted(dir, found, more)
	if s.midway && found == sniff.Unknown {
		within, open := sniff.Midway(dir, head)
		if within != sniff.Unknown {
			s.enter(within, dir, p[taken:])
			return
		}
		more = more || open
	}
	order := [2]proto.Direction{proto.ClientToOrigin, proto.OriginToClient}
	if s.reader = s.newReader(found); s.reader == nil {
		if !more && (dir == proto.ClientToOrigin || found != sniff.Unknown) || len(head) >= maxFirst[dir] {
			s.unknown(dir, found)
		}
		return
	}
	if h, ok := s.reader.(*http1Reader); ok && s.midway {
		h.deep.unsure = true
	}
	if found != sniff.HTTP && found != sniff.HTTP2 && found != sniff.SMB && found != sniff.TLS && found != sniff.DNS {
		order = [2]proto.Direction{proto.OriginToClient, proto.ClientToOrigin} // a greeting comes before the client's first word
	}
	s.protocol = found
	if greeting, _ := sniff.Origin(s.first[proto.OriginToClient]); s.midway && dir == proto.ClientToOrigin && greeting == sniff.Unknown {
		s.first[proto.OriginToClient] = nil // it was said before
	}
	first, rest := s.first, p[taken:]
	s.first = [2][]byte{}
	for _, d := range order {
		s.read(d, first[d])
		if s.ended[d] && s.reader != nil {
			s.reader.end(d)
		}
	}
	s.read(dir, rest)
}

// unknown gives up, but for a session whose beginning is missing.
func (s *Session) unknown(dir proto.Direction, found sniff.Protocol) {
	if s.midway && found == sniff.Unknown {
		s.lose(dir, StopUnknown)
		return
	}
	s.stop(StopUnknown)
}

// newReader returns the reader of a protocol, nil if there is none.
func (s *Session) newReader(p sniff.Protocol) reader {
	switch p {
	case sniff.HTTP:
		return newHTTP1(s)
	case sniff.HTTP2:
		return newHTTP2(s)
	case sniff.SMTP:
		return newSMTP(s)
	case sniff.IMAP:
		return newIMAP(s)
	case sniff.POP3:
		return newPOP3(s)
	case sniff.FTP:
		return newFTP(s)
	case sniff.SMB:
		if s.contents != nil {
			return newSMB(s)
		}
	case sniff.TLS:
		if s.contents != nil {
			return newTLS(s)
		}
	case sniff.DNS:
		if s.contents != nil {
			return newDNS(s)
		}
	}
	return nil
}

// greeted tells SMTP from FTP by the client's first line, where the greeting does not. It
// is SMTP if that line does not tell, or if the greeting is longer than a line.
func (s *Session) greeted(dir proto.Direction, found sniff.Protocol, more bool) (sniff.Protocol, bool) {
	client, origin := s.first[proto.ClientToOrigin], s.first[proto.OriginToClient]
	if dir == proto.ClientToOrigin && found == sniff.Unknown {
		found, _ = sniff.Origin(origin)
	}
	if found != sniff.Greeting220 {
		return found, more
	}
	told := sniff.Command(found, client)
	switch {
	case told != sniff.Greeting220:
		return told, false
	case bytes.IndexByte(client, '\n') >= 0, len(client) >= maxGreeted, len(origin) >= maxFirst[proto.OriginToClient]:
		return sniff.SMTP, false
	}
	return sniff.Unknown, true
}

// maxGreeted is how many octets of the client are looked at behind a greeting that does
// not tell the protocol.
const maxGreeted = 128
