// Package facts reads the cleartext of a session for the audit entry. It finds web
// requests with their answers (HTTP/1.x, HTTP/2), and messages with sender,
// recipients and subject (SMTP).
//
// It reads headers only. It passes over content by its length, without a copy and
// without an allocation. Its memory is bounded for any input: it keeps the first
// exchanges and messages, each with a bounded number of octets, and counts all.
//
// If a session breaks its protocol, or a bound, the package stops reading and keeps
// its results. An entry is thus no proof that there was nothing else. The package
// keeps no content, no cookies and no credentials. It keeps queries of requests
// only on demand, because they often hold tokens and passwords. A path may hold
// them, too.
package facts

import (
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Exchange is a request and its answer.
type Exchange struct {
	// The method of the request.
	Method string `json:"method"`
	// The host of the request.
	Host string `json:"host"`
	// The path of the request, without the query unless `audit.queries` is true. At most
	// 512 octets.
	Path string `json:"path"`
	// The status of the answer. 0 if no answer came.
	Status int `json:"status"`
	// The media type of the answer, without parameters. Empty if it has none.
	Type string `json:"type"`
	// Octets of the answer's content as the origin sent it, compressed or not.
	Length uint64 `json:"length"`
}

// Mail is a message that a client gave an origin.
type Mail struct {
	// The sender of the envelope, without brackets. Empty for a bounce.
	From string `json:"from"`
	// The first 16 recipients of the envelope, without brackets.
	To []string `json:"to"`
	// The subject, at most 512 octets. Empty without one.
	Subject string `json:"subject"`
	// The message identifier. Empty without one.
	MessageID string `json:"message_id"`
	// The reply code of the origin to the message. 0 if none came.
	Reply int `json:"reply"`
}

// Report is what was found.
type Report struct {
	HTTP      []Exchange // the first 32
	HTTPTotal uint64
	Mail      []Mail // the first 32
	MailTotal uint64
}

// Bounds of a report, octets of each text cut to them.
const (
	maxKept       = 32
	maxRecipients = 16
	maxMethod     = 32
	maxHost       = 255
	maxPath       = 512
	maxType       = 128
	maxAddress    = 320 // RFC 5321, Section 4.5.3.1, and the sign between
	maxSubject    = 512
	maxID         = 255
)

// Options of a [Session].
type Options struct {
	Queries bool // keep the queries of requests, too
}

// parser follows one protocol. Both methods borrow p. They report false when
// there is nothing more to be had of the session.
type parser interface {
	client(p []byte) bool
	origin(p []byte) bool
	close() // the session is over
}

const maxFirst = 512 // octets of each direction from which the protocol is told

// Session reads one session. It is not safe for concurrent use. The zero value is
// not ready, see [New].
type Session struct {
	options Options
	report  Report
	parser  parser // nil: not known yet, or nothing to be had
	over    bool
	first   [2][]byte // octets from before the protocol was known
}

// New returns a Session at its beginning.
func New(o Options) *Session { return &Session{options: o} }

// Data reads octets that are relayed in a direction, in the order in which they
// are. It borrows p until it returns, and does not allocate for content.
func (s *Session) Data(dir proto.Direction, p []byte) {
	if s.over || len(p) == 0 {
		return
	}
	if s.parser == nil {
		s.begin(dir, p)
		return
	}
	s.read(dir, p)
}

func (s *Session) read(dir proto.Direction, p []byte) {
	ok := false
	if dir == proto.ClientToOrigin {
		ok = s.parser.client(p)
	} else {
		ok = s.parser.origin(p)
	}
	if !ok {
		s.parser.close()
		s.parser, s.over = nil, true
	}
}

// begin tells the protocol from the first octets: the client's, or a greeting.
func (s *Session) begin(dir proto.Direction, p []byte) {
	s.first[dir] = append(s.first[dir], p[:min(len(p), maxFirst)]...)
	head := s.first[dir]
	var found sniff.Protocol
	var more bool
	if dir == proto.ClientToOrigin {
		found, more = sniff.Client(head)
	} else {
		found, more = sniff.Origin(head)
	}
	switch found {
	case sniff.HTTP:
		s.parser = newHTTP1(s)
	case sniff.HTTP2:
		s.parser = newHTTP2(s)
	case sniff.SMTP, sniff.Greeting220: // no FTP client says MAIL FROM
		s.parser = &smtp{s: s}
	default:
		s.over = !more && (dir == proto.ClientToOrigin || found != sniff.Unknown) || len(head) >= maxFirst
		if s.over {
			s.first = [2][]byte{}
		}
		return
	}
	first := s.first
	s.first = [2][]byte{}
	rest := p[min(len(p), maxFirst):]
	// A greeting comes before the client's first word, an answer behind.
	order := []proto.Direction{proto.ClientToOrigin, proto.OriginToClient}
	if _, speaksFirst := s.parser.(*smtp); speaksFirst {
		order = []proto.Direction{proto.OriginToClient, proto.ClientToOrigin}
	}
	for _, d := range order {
		if len(first[d]) > 0 && s.parser != nil {
			s.read(d, first[d])
		}
	}
	if len(rest) > 0 && s.parser != nil {
		s.read(dir, rest)
	}
}

// Close ends the session and returns what was found. Later calls return the same.
func (s *Session) Close() Report {
	if s.parser != nil {
		s.parser.close()
		s.parser = nil
	}
	s.over = true
	s.first = [2][]byte{}
	return s.report
}

// exchanged counts an exchange and keeps it if there is room.
func (s *Session) exchanged(x Exchange) {
	s.report.HTTPTotal++
	if len(s.report.HTTP) < maxKept {
		s.report.HTTP = append(s.report.HTTP, x)
	}
}

// keeps reports whether the next exchange would be kept.
func (s *Session) keeps() bool { return len(s.report.HTTP) < maxKept }

// path returns what is kept of a request target, and the host in it if it has one.
func (o *Options) path(target string) (host, path string) {
	if scheme, rest, ok := strings.Cut(target, "://"); ok && !strings.ContainsAny(scheme, "/?") {
		i := strings.IndexAny(rest, "/?#")
		if i < 0 {
			i = len(rest)
		}
		host, target = rest[strings.LastIndexByte(rest[:i], '@')+1:i], rest[i:]
	}
	target, _, _ = strings.Cut(target, "#")
	if !o.Queries {
		target, _, _ = strings.Cut(target, "?")
	}
	return clip(host, maxHost), clip(target, maxPath)
}

// mediaType returns a media type without its parameters.
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return clip(strings.ToLower(strings.TrimSpace(s)), maxType)
}

// clip returns at most n octets of s, in a string of its own that is valid UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.Clone(strings.ToValidUTF8(s, "\uFFFD"))
}
