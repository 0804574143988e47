package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/smtp"
)

// smtpReader follows SMTP (RFC 5321) with CHUNKING (RFC 3030).
type smtpReader struct {
	s        *Session
	watch    *smtp.Watch[uint64] // its notes are numbers of messages, 0 for none
	envelope bool                // MAIL was said
	begun    bool                // message is under way
	message  Exchange
	header   mailHeader
	logins   logins
}

func newSMTP(s *Session) *smtpReader { return &smtpReader{s: s, watch: smtp.NewWatch[uint64]()} }

func (x *smtpReader) data(dir proto.Direction, p []byte) Cause {
	if dir == proto.OriginToClient {
		x.origin(p)
		return reading
	}
	for len(p) > 0 {
		e, n, ok := x.watch.Client(p)
		if !ok {
			return StopBound
		}
		if e.IsCommand {
			x.command(&e.Command)
		}
		if e.Response != nil {
			x.logins.respond(e.Response)
		}
		if len(e.Text) > 0 || e.End {
			x.content(e.Text, e.End)
		}
		p = p[n:]
	}
	return reading
}

// command takes a command line.
func (x *smtpReader) command(c *smtp.Command) {
	switch c.Verb {
	case smtp.MAIL:
		x.drop(Cut)
		x.envelope, x.watch.Note = true, x.s.number+1
		path, _ := smtp.ParsePath(c.Argument)
		x.s.event().sender = Sender{path.Address}
		x.s.sink.Event(&x.s.event().sender)
	case smtp.RCPT:
		if path, ok := smtp.ParsePath(c.Argument); ok && x.envelope {
			x.s.event().recipient = Recipient{path.Address}
			x.s.sink.Event(&x.s.event().recipient)
		}
	case smtp.RSET, smtp.EHLO, smtp.HELO, smtp.LHLO:
		x.drop(Cut)
	case smtp.STARTTLS:
		x.s.turns()
	case smtp.AUTH:
		x.logins.exchange(c.Argument)
	}
}

// origin takes octets of the server.
func (x *smtpReader) origin(p []byte) {
	for len(p) > 0 {
		a, n, whole := x.watch.Server(p)
		p = p[n:]
		switch {
		case !whole || !a.Final:
		case a.To == smtp.AUTH:
			x.logins.answered(x.s, a.Code/100 == 2)
		case a.To == smtp.DATA && a.Code != 354:
			x.abandon(Cut) // the client did not wait
		case a.To == smtp.Message && a.Note != 0:
			if x.begun && a.Note == x.message.Number {
				x.drop(Lost) // a gap hid its end
			}
			x.s.event().reply = Reply{Number: a.Note, Code: a.Code}
			x.s.sink.Event(&x.s.event().reply)
		}
	}
}

// content takes content of a message, the last of it if over is set. Content without
// an envelope belongs to no message.
func (x *smtpReader) content(p []byte, over bool) {
	if !x.envelope {
		return
	}
	x.begin()
	x.s.content(&x.message, proto.ClientToOrigin, p)
	if x.header.add(p) {
		x.tell()
	}
	if over {
		x.drop(Complete)
	}
}

// begin begins a message, once.
func (x *smtpReader) begin() {
	if x.begun {
		return
	}
	x.begun = true
	x.s.open(&x.message)
	x.s.event().message = Message{Exchange: &x.message, Envelope: true}
	x.s.sink.Event(&x.s.event().message)
}

// tell tells of the header.
func (x *smtpReader) tell() {
	x.s.event().header = Header{Exchange: &x.message, Section: x.header.octets}
	x.s.sink.Event(&x.s.event().header)
	x.header.octets = nil
}

// drop ends envelope and message.
func (x *smtpReader) drop(how Ending) {
	x.abandon(how)
	x.envelope, x.watch.Note = false, 0
}

// abandon ends the message and leaves the envelope.
func (x *smtpReader) abandon(how Ending) {
	if !x.begun {
		return
	}
	if !x.header.whole {
		x.tell()
	}
	x.s.end(&x.message, proto.ClientToOrigin, how)
	x.begun, x.header, x.watch.Note = false, mailHeader{}, x.s.number+1
}

func (x *smtpReader) gap(dir proto.Direction, n uint64) Cause {
	if dir == proto.OriginToClient {
		return StopGap
	}
	e, ok := x.watch.Lost(n)
	if !ok {
		return StopGap
	}
	if x.envelope {
		x.begin()
		x.s.hole(&x.message, proto.ClientToOrigin, n)
		if !x.header.whole {
			x.tell()
			x.header.whole = true
		}
	}
	if e.End {
		x.drop(Complete)
	}
	return reading
}

func (x *smtpReader) end(dir proto.Direction) {
	if dir == proto.ClientToOrigin {
		x.abandon(Cut)
	}
}

func (x *smtpReader) close(how Ending) {
	x.abandon(how)
	x.logins.close(x.s)
}
