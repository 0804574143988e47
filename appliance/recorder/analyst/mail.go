package analyst

import (
	"strings"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/object"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// envelope is one of SMTP under way.
type envelope struct {
	sender     string
	recipients []string
}

// maxParties bounds the addresses of a mail message.
const maxParties = 1000

func (v *envelope) add(recipient string) {
	if len(v.recipients) < maxParties {
		v.recipients = append(v.recipients, recipient)
	}
}

// message begins an event of mail.
func (s *session) message(m *dissect.Message) {
	e := s.event(trail.Mail)
	e.messages = 1
	e.Method = "send"
	dir := proto.ClientToOrigin
	switch {
	case m.Fetched:
		e.Method, dir = "get", proto.OriginToClient
	case !m.Envelope:
		e.Method = "put"
	}
	if m.Envelope {
		e.Sender, e.waits = s.envelope.sender, true
		for _, r := range s.envelope.recipients {
			e.Parties = append(e.Parties, trail.Party{Role: trail.Recipient, Address: r})
		}
		s.envelope = envelope{}
		if s.letters == nil {
			s.letters = make(map[uint64]*event)
		}
		s.letters[m.Number] = e
	}
	e.about[dir] = object.Content{Mail: true}
	m.Tag = e
}

// part begins an event of a part of a mail message.
func (s *session) part(p *dissect.Part) {
	e := s.event(trail.Mail)
	e.messages = 1
	e.Method = "get"
	mime, message := dissect.Header{Section: p.Header}, dissect.Header{Section: p.Message}
	e.header(&object.Header{
		Subject: message.Text("subject"), From: message.Text("from"), To: message.Text("to"), CC: message.Text("cc"), MessageID: string(message.Get("message-id")),
	})
	e.about[proto.OriginToClient] = object.Content{
		Type: string(mime.Get("content-type")), Disposition: string(mime.Get("content-disposition")), Transfer: string(mime.Get("content-transfer-encoding")),
	}
	p.Tag = e
}

// header notes the header of a message.
func (e *event) header(h *object.Header) {
	e.Subject, e.MessageID = bound(h.Subject), bound(h.MessageID)
	for _, list := range []struct {
		role  trail.Role
		value string
	}{{trail.From, h.From}, {trail.To, h.To}, {trail.CC, h.CC}} {
		for a := range addresses(list.value) {
			if len(e.Parties) >= maxParties {
				break
			}
			if list.role == trail.From && e.Sender == "" {
				e.Sender = a
			}
			e.Parties = append(e.Parties, trail.Party{Role: list.role, Address: a})
		}
	}
}

// addresses returns the addresses in a field, whatever surrounds them.
func addresses(value string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`<>,;:"()`, r) }) {
			if at := strings.IndexByte(word, '@'); at > 0 && at < len(word)-1 && !yield(bound(word)) {
				return
			}
		}
	}
}

// reply ends an event of mail with what the server says of it.
func (s *session) reply(r *dissect.Reply) {
	e := s.letters[r.Number]
	if e == nil {
		return
	}
	e.Status = r.Code
	if e.messages > 0 {
		e.waits = false // the reply came before the end
		return
	}
	delete(s.letters, r.Number)
	s.done(e)
}

// login notes a login.
func (s *session) login(l *dissect.Login) {
	e := s.event(trail.Login)
	e.User, e.Mechanism, e.Outcome = text(l.User), text([]byte(l.Mechanism)), l.Outcome.String()
	if l.Outcome == dissect.Granted && e.User != "" {
		s.user = e.User
		s.who(e)
	}
	s.done(e)
}
