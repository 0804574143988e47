package mail

import (
	"io"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/proto/line"
	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
	"github.com/clearspan/clearspan/decrypt/proto/pop3"
)

// postOffice is one POP3 session. One goroutine relays commands, another one replies.
type postOffice struct {
	*scan
	client *client
	origin *input
	far    decrypt.End

	mu       sync.Mutex
	changed  sync.Cond
	dialogue pop3.Dialogue[struct{}]
	saying   bool  // a reply is on its way to the client
	over     error // why no reply comes any more; nil: they come
}

func newPostOffice(look *scan, near, far decrypt.End, greeted bool) *postOffice {
	x := &postOffice{scan: look, far: far, origin: newInputOf(far, maxLine, violatedPOP3),
		client: &client{input: newInputOf(near, maxLine, violatedPOP3), end: near}}
	x.dialogue.Greeted = greeted
	x.changed.L = &x.mu
	return x
}

// commands implements side.
func (x *postOffice) commands() error {
	for {
		text, err := x.client.line()
		if err == nil {
			err = x.perform(text)
		}
		switch {
		case err == io.EOF:
			return x.far.CloseWrite()
		case err != nil:
			return err
		}
	}
}

// perform relays a command, or answers it in the origin's place.
func (x *postOffice) perform(text []byte) error {
	c, fault := pop3.ParseCommand(text, pop3.Strict)
	switch {
	case fault != nil:
		return x.refuse("Syntax error")
	case c.Verb == pop3.STLS:
		return x.refuse("TLS not available")
	}
	if err := x.command(c, text); err != nil || c.Verb != pop3.AUTH {
		return err
	}
	for { // what answers a challenge is no command (RFC 5034, Section 4)
		next, err := x.drain(true)
		if err != nil || next != pop3.Response {
			return err
		}
		text, err := x.client.line()
		if err != nil {
			return err
		}
		x.mu.Lock()
		x.dialogue.Respond()
		x.mu.Unlock()
		if err := x.write(text); err != nil {
			return err
		}
	}
}

// command sends a command to the origin.
func (x *postOffice) command(c pop3.Command, text []byte) error {
	x.mu.Lock()
	for x.dialogue.Outstanding() >= pipeline.Max && x.over == nil {
		x.changed.Wait()
	}
	err := x.over
	if err == nil {
		err = x.dialogue.Command(c, struct{}{})
	}
	x.mu.Unlock()
	if err != nil {
		return err
	}
	return x.write(text)
}

func (x *postOffice) write(text []byte) error {
	_, err := x.far.Write(append(append([]byte(nil), text...), "\r\n"...))
	return err
}

// refuse answers a command in the origin's place, when all before it are answered.
func (x *postOffice) refuse(text string) error {
	if _, err := x.drain(false); err != nil {
		return err
	}
	return x.client.say([]byte("-ERR " + text + "\r\n"))
}

// drain waits until the client has the replies to all commands, or, if asked for, a
// challenge. It returns what the client sends next.
func (x *postOffice) drain(challenge bool) (pop3.Next, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.over == nil && (x.saying || !x.dialogue.Settled() && !(challenge && x.dialogue.Next() == pop3.Response)) {
		x.changed.Wait()
	}
	return x.dialogue.Next(), x.over
}

// ended implements side.
func (x *postOffice) ended(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over = err; err == nil {
		x.over = errOver
	}
	x.changed.Broadcast()
}

// replies implements side.
func (x *postOffice) replies() error {
	for {
		text, err := x.origin.line()
		switch {
		case err == io.EOF:
			return x.client.end.CloseWrite()
		case err != nil:
			return err
		}
		text = append(append([]byte(nil), text...), "\r\n"...)
		a, err := x.take(text)
		switch {
		case err != nil:
			return violatedPOP3(err)
		case !a.Lines:
			err = x.client.say(text)
		case a.To == pop3.RETR || a.To == pop3.TOP:
			err = x.message(text)
		case a.To == pop3.CAPA:
			err = x.capabilities(text)
		default:
			err = x.lines(text)
		}
		if err != nil {
			return err
		}
		x.said(a.Lines)
	}
}

// take takes the first line of a reply. Clients take a line without a plus for a negative
// one.
func (x *postOffice) take(text []byte) (pop3.Answer[struct{}], error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, ok := pop3.ParseReply(text); !ok && text[0] != '+' {
		text = []byte("-ERR")
	}
	a, err := x.dialogue.Reply(text)
	x.saying = err == nil
	x.changed.Broadcast()
	return a, err
}

// said tells that the client has the reply.
func (x *postOffice) said(lines bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.saying = false; lines {
		x.dialogue.End()
	}
	x.changed.Broadcast()
}

// message holds a message until the service has decided, and gives it to the client.
func (x *postOffice) message(first []byte) error {
	c := x.newContent(true)
	defer c.close()
	if err := c.readDotted(x.origin); err != nil {
		return err
	}
	switch {
	case c.ambiguous:
		x.served(WordBlocked, 0)
		return x.client.say([]byte("-ERR Message refused: a dot stands alone between bare CR or LF\r\n"))
	case c.large, c.lost != nil:
		x.served(WordFailedClosed, 0)
		return x.client.say([]byte("-ERR Message is too long to be inspected\r\n"))
	}
	v := x.examine(shown{content: c})
	defer v.changed.close()
	switch v.word {
	case WordBlocked:
		return x.client.say([]byte("-ERR Message refused" + v.why + "\r\n"))
	case WordFailedClosed:
		return x.client.say([]byte("-ERR [SYS/TEMP] Message cannot be inspected now, try again later\r\n"))
	case WordModified:
		c = v.changed
	}
	if err := x.client.say(first); err != nil {
		return err
	}
	if err := x.client.copy(c.raw()); err != nil {
		return err
	}
	return x.client.say([]byte(".\r\n"))
}

// capabilities relays the list without STLS: the session is cleartext here already.
func (x *postOffice) capabilities(first []byte) error {
	list := first
	for {
		text, err := x.origin.line()
		if err != nil {
			return within(err)
		}
		if word, _ := line.Word(text, line.Blanks); line.Is(word, pop3.STLS.String()) {
			continue
		}
		if list = append(append(list, text...), "\r\n"...); len(list) > maxReply {
			return violatedPOP3(errLongLine)
		}
		if string(text) == "." {
			return x.client.say(list)
		}
	}
}

// lines relays other lists.
func (x *postOffice) lines(first []byte) error {
	if err := x.client.say(first); err != nil {
		return err
	}
	for over := false; !over; {
		p, err := x.origin.some()
		if err != nil {
			return within(err)
		}
		n := 0
		x.mu.Lock()
		for n < len(p) && !over {
			var k int
			_, k, over = x.dialogue.Text(p[n:])
			n += k
		}
		x.mu.Unlock()
		if err := x.client.say(p[:n]); err != nil {
			return err
		}
		x.origin.br.Discard(n)
	}
	return nil
}
