package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/line"
	"github.com/clearspan/clearspan/decrypt/proto/pop3"
)

// pop3Reader follows POP3 (RFC 1939). A message is the answer to RETR.
type pop3Reader struct {
	s      *Session
	watch  *pop3.Watch[struct{}]
	logins logins
	user   []byte  // of USER
	letter *letter // under way
}

func newPOP3(s *Session) *pop3Reader { return &pop3Reader{s: s, watch: pop3.NewWatch[struct{}]()} }

func (x *pop3Reader) data(dir proto.Direction, p []byte) Cause {
	for len(p) > 0 {
		if dir == proto.OriginToClient {
			h, n := x.watch.Server(p)
			p = p[n:]
			x.heard(&h)
			continue
		}
		said, n, ok := x.watch.Client(p)
		p = p[n:]
		switch {
		case !ok:
			return StopBound
		case said.IsResponse:
			x.logins.respond(said.Line)
		case said.Line != nil:
			x.command(&said.Command)
		}
	}
	return reading
}

// command takes a command line.
func (x *pop3Reader) command(c *pop3.Command) {
	switch c.Verb {
	case pop3.USER:
		x.user = append(x.user[:0], c.Argument[:min(len(c.Argument), maxUser)]...)
	case pop3.PASS:
		x.logins.begin(pop3.USER.String(), x.user)
		x.user = nil
	case pop3.APOP:
		user, _ := line.Word(c.Argument, line.Blanks)
		x.logins.begin(pop3.APOP.String(), user)
	case pop3.STLS:
		x.s.turns()
	case pop3.AUTH:
		if len(c.Argument) > 0 {
			x.logins.exchange(c.Argument)
		}
	}
}

// heard takes what the server says.
func (x *pop3Reader) heard(h *pop3.Heard[struct{}]) {
	a := &h.Answer
	switch {
	case h.IsFirst && a.To == pop3.RETR && a.Lines:
		x.letter = newLetter(x.s, proto.OriginToClient)
	case h.IsFirst && (a.To == pop3.PASS || a.To == pop3.APOP || a.To == pop3.AUTH && !a.Lines && !a.Continue):
		x.logins.answered(x.s, a.Positive)
	case x.letter != nil:
		if x.letter.content(x.s, h.Text); h.End {
			x.finish(Complete)
		}
	}
}

func (x *pop3Reader) finish(how Ending) {
	if x.letter != nil {
		x.letter.end(x.s, how)
		x.letter = nil
	}
}

func (x *pop3Reader) gap(proto.Direction, uint64) Cause { return StopGap }

func (x *pop3Reader) end(dir proto.Direction) {
	if dir == proto.OriginToClient {
		x.finish(Cut)
	}
}

func (x *pop3Reader) close(how Ending) {
	x.finish(how)
	x.logins.close(x.s)
}
