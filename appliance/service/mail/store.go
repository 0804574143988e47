package mail

import (
	"fmt"
	"io"

	"github.com/clearspan/clearspan/decrypt/proto/imap"
)

const (
	maxStored = 16      // messages of one APPEND (RFC 3502)
	maxTarget = 8 << 10 // octets of what stands before them
)

// stored is a message of APPEND or REPLACE.
type stored struct {
	before  []byte // what comes before the announcement of its literal
	literal imap.Literal
	content *content
}

// store takes the messages of APPEND or REPLACE. The origin gets them when all are judged.
func (x *mailbox) store(c imap.Command, text []byte) error {
	var list []stored
	defer func() {
		for _, s := range list {
			s.content.close()
		}
	}()
	if mailbox, _ := c.Target(); mailbox {
		var err error
		if text, err = x.named(text); err != nil {
			return err
		}
	}
	first := text
	var refusal string
	var octets int64
	for {
		l, ok := imap.ParseLiteral(text)
		switch {
		case !ok && refusal != "":
			return x.refuse(c.Tag, "NO", refusal)
		case !ok:
			return x.deliver(c, first, list, text)
		case imap.Joins(text) && refusal == "":
			refusal = "[CANNOT] CATENATE is not available"
		case (len(list) >= maxStored || octets > x.cfg.MaxMessage) && refusal == "":
			refusal = "[LIMIT] Too many messages"
		}
		if refusal != "" && !l.Plus {
			return x.refuse(c.Tag, "NO", refusal)
		}
		s, why, err := x.receive(text, l, refusal == "")
		if err != nil {
			return err
		}
		octets += s.content.length
		if list = append(list, s); why != "" {
			refusal = why
		}
		if refusal != "" {
			list[len(list)-1].content.close()
			list = list[:len(list)-1]
		}
		if text, err = x.rest(); err != nil {
			return err
		}
	}
}

// rest reads a line behind a literal.
func (x *mailbox) rest() ([]byte, error) {
	text, err := x.client.line()
	if err != nil {
		return nil, within(err)
	}
	text = ended(text)
	if fault := imap.CheckLine(text); fault != nil {
		return nil, violatedIMAP(fault)
	}
	return text, nil
}

// named reads the name of the mailbox, which is a literal, and the line behind it. It
// returns the line with the name in it.
func (x *mailbox) named(text []byte) ([]byte, error) {
	l, _ := imap.ParseLiteral(text)
	if l.Size > maxTarget {
		return nil, violatedIMAP(imap.ErrLiteral)
	}
	if err := x.consent(l); err != nil {
		return nil, err
	}
	name := make([]byte, l.Size)
	if _, err := io.ReadFull(x.client.br, name); err != nil {
		return nil, within(err)
	}
	rest, err := x.rest()
	if err != nil {
		return nil, err
	}
	quoted := make([]byte, 0, len(name)+2)
	quoted = append(append(quoted, text[:l.At]...), '"')
	for _, c := range name {
		switch c {
		case '"', '\\':
			quoted = append(quoted, '\\')
		case 0, '\r', '\n':
			return nil, violatedIMAP(imap.ErrControl)
		}
		quoted = append(quoted, c)
	}
	return append(append(quoted, '"'), rest...), nil
}

// consent has the client send a literal that waits for it.
func (x *mailbox) consent(l imap.Literal) error {
	if l.Plus {
		return nil
	}
	return x.client.say([]byte("+ OK\r\n"))
}

// receive takes a literal of the client. If it is wanted, the service judges it: why is
// the refusal, "" without.
func (x *mailbox) receive(text []byte, l imap.Literal, wanted bool) (s stored, why string, err error) {
	if err := x.consent(l); err != nil {
		return s, "", err
	}
	s = stored{before: text[:l.At], literal: l, content: x.newContent(false)}
	if err := s.content.readOctets(x.client.input, int64(l.Size), wanted); err != nil || !wanted {
		return s, "", err
	}
	if s.content.large || s.content.lost != nil {
		x.served(WordFailedClosed, 0)
		return s, "[LIMIT] Message is too long to be inspected", nil
	}
	v := x.examine(shown{content: s.content})
	switch v.word {
	case WordBlocked:
		why = "[CANNOT] Message refused" + v.why
	case WordFailedClosed:
		why = "[UNAVAILABLE] Message cannot be inspected now, try again later"
	case WordModified:
		s.content.close()
		s.content = v.changed
	}
	return s, why, nil
}

// deliver gives the messages to the origin. last is the line behind them.
func (x *mailbox) deliver(c imap.Command, first []byte, list []stored, last []byte) error {
	if len(list) == 0 {
		return x.command(c, first, nil)
	}
	x.ours(true)
	defer x.ours(false)
	for i, s := range list {
		text := s.announced()
		var err error
		if i == 0 {
			err = x.begin(c, text, nil)
		} else {
			err = x.line(text)
		}
		if err != nil {
			return err
		}
		next, left, err := x.await()
		switch {
		case err != nil:
			return err
		case next == imap.First: // the origin has refused, and the client knows
			return nil
		}
		if _, err := io.Copy(x.far, s.content.raw()); err != nil {
			return err
		}
		if left > 0 {
			x.took(left)
		}
	}
	return x.line(last)
}

// ours says that the origin's consent to literals is for us, or for the client.
func (x *mailbox) ours(own bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.own = own
}

// announced returns the line before the message.
func (s *stored) announced() []byte {
	return append(append([]byte(nil), s.before...), announcement(s.literal, uint64(s.content.length))...)
}

// announcement returns the announcement of a literal of another size, with the line's end.
func announcement(l imap.Literal, size uint64) []byte {
	binary, plus := "", ""
	if l.Binary {
		binary = "~"
	}
	if l.Plus {
		plus = "+"
	}
	return fmt.Appendf(nil, "%s{%d%s}\r\n", binary, size, plus)
}
