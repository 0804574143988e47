package dissect

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

const (
	maxUser      = 320 // octets of a user name
	maxMechanism = 32  // of the name of a mechanism
	maxLogins    = 16  // without an answer
)

// logins are those that have no answer, oldest first. The zero value has none. They keep
// no password.
type logins struct{ open []*login }

// login is one under way.
type login struct {
	mechanism string
	user      []byte
	responses int // of SASL
}

// begin begins a login. It returns nil if there are too many.
func (l *logins) begin(mechanism string, user []byte) *login {
	if len(l.open) >= maxLogins {
		return nil
	}
	x := &login{mechanism: mechanism}
	x.name(user)
	l.open = append(l.open, x)
	return x
}

// name takes the user's name.
func (x *login) name(user []byte) { x.user = bytes.Clone(user[:min(len(user), maxUser)]) }

// exchange begins a login by SASL: argument is the mechanism, and perhaps a response
// (RFC 4954, Section 4; RFC 4959; RFC 5034).
func (l *logins) exchange(argument []byte) {
	mechanism, initial := line.Word(argument, line.Blanks)
	x := l.begin(strings.ToUpper(string(mechanism[:min(len(mechanism), maxMechanism)])), nil)
	if x != nil && len(initial) > 0 {
		x.respond(initial)
	}
}

// respond takes a response of the login that was begun last.
func (l *logins) respond(text []byte) {
	if len(l.open) > 0 {
		l.open[len(l.open)-1].respond(text)
	}
}

// answered ends the oldest login.
func (l *logins) answered(s *Session, granted bool) {
	if len(l.open) == 0 {
		return
	}
	outcome := Refused
	if granted {
		outcome = Granted
	}
	l.tell(s, outcome)
}

func (l *logins) tell(s *Session, outcome Outcome) {
	x := l.open[0]
	if l.open = l.open[1:]; len(l.open) == 0 {
		l.open = nil
	}
	s.event().login = Login{User: x.user, Mechanism: x.mechanism, Outcome: outcome}
	s.sink.Event(&s.event().login)
}

// close ends all at the end of the session.
func (l *logins) close(s *Session) {
	for len(l.open) > 0 {
		l.tell(s, Unanswered)
	}
}

// respond takes a response in base64. Only one that holds the user's name is looked at.
func (x *login) respond(text []byte) {
	x.responses++
	if x.user != nil || x.responses > 2 || x.mechanism == "LOGIN" && x.responses > 1 {
		return // it may be a password
	}
	text = line.Trim(text)
	plain := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(plain, text)
	if err != nil {
		return
	}
	if user := userOf(x.mechanism, plain[:n]); user != nil {
		x.name(user)
	}
}

// userOf returns the user's name in a response of SASL, nil without one.
func userOf(mechanism string, p []byte) []byte {
	switch {
	case mechanism == "LOGIN":
		return p
	case mechanism == "PLAIN": // RFC 4616, Section 2
		if parts := bytes.Split(p, []byte{0}); len(parts) == 3 {
			return parts[1]
		}
	case mechanism == "XOAUTH2":
		first, _, _ := bytes.Cut(p, []byte{1})
		if user, ok := bytes.CutPrefix(first, []byte("user=")); ok {
			return user
		}
	case mechanism == "OAUTHBEARER": // RFC 7628, Section 3.1
		first, _, _ := bytes.Cut(p, []byte{1})
		return attribute(first, "a=")
	case strings.HasPrefix(mechanism, "SCRAM-"): // RFC 5802, Section 5.1
		return attribute(p, "n=")
	case mechanism == "NTLM":
		return ntlmUser(p)
	case mechanism == "DIGEST-MD5": // RFC 2831, Section 2.1.2
		return digestUser(p)
	case mechanism == "CRAM-MD5": // RFC 2195, Section 2
		if space := bytes.LastIndexByte(p, ' '); space > 0 {
			return p[:space]
		}
	}
	return nil
}

// attribute returns the value of an attribute in a list with commas.
func attribute(p []byte, name string) []byte {
	for part := range bytes.SplitSeq(p, []byte{','}) {
		if value, ok := bytes.CutPrefix(part, []byte(name)); ok {
			return value
		}
	}
	return nil
}
