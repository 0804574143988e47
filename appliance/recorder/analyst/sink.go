package analyst

import (
	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// Event takes what a dissector says. It implements [dissect.Sink].
func (s *session) Event(e dissect.Event) {
	switch e := e.(type) {
	case *dissect.Request:
		s.request(e)
	case *dissect.Answer:
		s.answer(e)
	case *dissect.Sender:
		s.envelope = envelope{sender: text(e.Address)}
	case *dissect.Recipient:
		s.envelope.add(text(e.Address))
	case *dissect.Message:
		s.message(e)
	case *dissect.Part:
		s.part(e)
	case *dissect.WebSocket:
		s.socket(e)
	case *dissect.Reply:
		s.reply(e)
	case *dissect.Login:
		s.login(e)
	case *dissect.Channel:
		s.channel(e)
	case *dissect.Command:
		s.command(e)
	case *dissect.Transfer:
		s.transferred(e)
	case *dissect.File:
		s.shared(e)
	case *dissect.Change:
		s.changed(e)
	case *dissect.Lookup:
		s.lookup(e)
	case *dissect.TLS:
		s.handshake(e)
	case *dissect.Holder:
		s.a.holder(s.now(), e)
	case *dissect.End:
		s.end(e)
	case *dissect.Stop:
		s.stop = e.Cause.String()
	}
}

// Content takes content. It implements [dissect.Contents].
func (s *session) Content(x *dissect.Exchange, dir proto.Direction, p []byte) {
	if e, ok := x.Tag.(*event); ok {
		if e.shared != nil {
			e.shared.write(s, e, dir, e.shared.parts[dir].next, p)
			return
		}
		e.guess(dir, p)
		e.stream(s, dir).Write(p)
	}
}

// Hole says that content is lost.
func (s *session) Hole(x *dissect.Exchange, dir proto.Direction, n uint64) {
	if e, ok := x.Tag.(*event); ok {
		if e.shared != nil {
			e.shared.hole(s, e, dir, e.shared.parts[dir].next, n)
			return
		}
		e.stream(s, dir).Hole(n)
	}
}

// end ends one message of an exchange.
func (s *session) end(x *dissect.End) {
	e, ok := x.Tag.(*event)
	if !ok {
		return
	}
	if x.Direction == proto.ClientToOrigin {
		e.Up += x.Octets
	} else {
		e.Down += x.Octets
	}
	if x.How != dissect.Complete && x.How != dissect.Cut || x.How == dissect.Cut && x.Octets > 0 {
		e.Outcome = x.How.String()
	}
	if e.shared != nil {
		e.shared.close(s, e, x)
	}
	e.close(x.Direction, x.How == dissect.Complete)
	if e.messages--; e.messages > 0 {
		return
	}
	x.Tag = nil
	s.a.join(e)
	if e.Kind == trail.Mail && s.letters[x.Number] == e && x.How == dissect.Complete && e.waits {
		return // for the reply
	}
	delete(s.letters, x.Number)
	s.done(e)
}
