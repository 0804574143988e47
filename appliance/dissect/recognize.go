package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

const maxFirst = 512 // octets of each direction from which the protocol is told

// recognize tells the protocol from the first octets: the client's, or a greeting.
func (s *Session) recognize(dir proto.Direction, p []byte) {
	s.first[dir] = append(s.first[dir], p[:min(len(p), maxFirst)]...)
	head := s.first[dir]
	var found sniff.Protocol
	var more bool
	if dir == proto.ClientToOrigin {
		found, more = sniff.Client(head)
	} else {
		found, more = sniff.Origin(head)
	}
	order := [2]proto.Direction{proto.ClientToOrigin, proto.OriginToClient}
	switch found {
	case sniff.HTTP:
		s.reader = newHTTP1(s)
	case sniff.HTTP2:
		s.reader = newHTTP2(s)
	case sniff.SMTP, sniff.Greeting220: // no FTP client says MAIL FROM
		s.reader = newSMTP(s)
		order = [2]proto.Direction{proto.OriginToClient, proto.ClientToOrigin} // a greeting comes before the client's first word
	default:
		if !more && (dir == proto.ClientToOrigin || found != sniff.Unknown) || len(head) >= maxFirst {
			s.stop(StopUnknown)
		}
		return
	}
	first, rest := s.first, p[min(len(p), maxFirst):]
	s.first = [2][]byte{}
	for _, d := range order {
		s.Data(d, first[d])
		if s.ended[d] && s.reader != nil {
			s.reader.end(d)
		}
	}
	s.Data(dir, rest)
}
