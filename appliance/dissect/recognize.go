package dissect

import (
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
		if !more && (dir == proto.ClientToOrigin || found != sniff.Unknown) || len(head) >= maxFirst[dir] {
			s.stop(StopUnknown)
		}
		return
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
