package mail

import (
	"errors"
	"io"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/proto/line"
	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
	"github.com/clearspan/clearspan/decrypt/proto/smtp"
)

const (
	maxReply = 64 << 10 // octets of one reply
	maxRcpts = 100      // recipients that a service is told
)

// errOver says that the other direction has ended the session.
var errOver = errors.New("session is over")

// origin is the end that gets commands and content, and sends replies. One goroutine
// sends commands, another one relays the replies.
type origin struct {
	*input // of replies
	end    decrypt.End
	client *client
	own    chan reply // to commands of our own: one at a time; closed when no reply comes any more

	mu       sync.Mutex
	changed  sync.Cond
	dialogue smtp.Dialogue[note]
	saying   bool  // a reply is on its way to the client
	over     error // why no reply comes any more; nil: they come
	envelope envelope
}

// note is left with a command for its reply.
type note struct {
	address string // of MAIL and RCPT
	own     bool   // the reply is for us
}

// envelope is the transaction as far as the origin has accepted it.
type envelope struct {
	from  string
	to    []string // the first maxRcpts
	rcpts int
}

// reply is a whole reply.
type reply struct {
	code int
	text []byte // all lines with their ends
}

func newOrigin(end decrypt.End, c *client, greeted bool) *origin {
	o := &origin{input: newInput(end), end: end, client: c, own: make(chan reply, 1)}
	o.dialogue.Greeted = greeted
	o.changed.L = &o.mu
	return o
}

// replies relays what the origin says, until it ends or fails.
func (o *origin) replies() error {
	for {
		r, own, err := o.reply()
		switch {
		case err == io.EOF:
			return o.client.end.CloseWrite()
		case err != nil:
			return err
		case own:
			o.own <- r
			continue
		}
		if err := o.client.say(r.text); err != nil {
			return err
		}
		o.said()
	}
}

// reply reads a reply, and reports whether it is for us.
func (o *origin) reply() (r reply, own bool, err error) {
	last := 0 // where the last line begins
	for {
		text, err := o.line()
		if err != nil {
			if len(r.text) > 0 {
				err = within(err)
			}
			return r, false, err
		}
		a, err := o.take(text)
		if err != nil {
			return r, false, violated("origin's %w", err)
		}
		if !concealed(a) {
			last = len(r.text)
			r.text = append(append(r.text, text...), "\r\n"...)
		}
		switch {
		case len(r.text) > maxReply:
			return r, false, violated("origin's reply is too long")
		case a.Last:
			if r.text[last+3] == '-' { // what followed is concealed
				r.text[last+3] = ' '
			}
			r.code = a.Code
			return r, a.Note.own, nil
		}
	}
}

// take takes a line of a reply. It keeps account of the transaction.
func (o *origin) take(text []byte) (smtp.Answer[note], error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a, err := o.dialogue.Reply(text)
	if err != nil || !a.Last {
		return a, err
	}
	if a.Code/100 == 2 {
		o.envelope.accept(a.To, a.Note.address)
	}
	o.saying = !a.Note.own
	o.changed.Broadcast()
	return a, nil
}

// said tells that the client has the reply.
func (o *origin) said() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.saying = false
	o.changed.Broadcast()
}

// ended tells that no reply comes any more.
func (o *origin) ended(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over = err; err == nil {
		o.over = errOver
	}
	close(o.own)
	o.changed.Broadcast()
}

// accept has a command take effect.
func (e *envelope) accept(v smtp.Verb, address string) {
	switch v {
	case smtp.MAIL:
		*e = envelope{from: address}
	case smtp.RCPT:
		if e.rcpts++; len(e.to) < maxRcpts {
			e.to = append(e.to, address)
		}
	case smtp.RSET, smtp.EHLO, smtp.HELO, smtp.LHLO:
		*e = envelope{}
	}
}

// concealed reports whether a line announces an extension by which content would come
// past us.
func concealed(a smtp.Answer[note]) bool {
	if a.First || a.To != smtp.EHLO && a.To != smtp.HELO && a.To != smtp.LHLO {
		return false
	}
	keyword, _ := a.Keyword()
	return line.Is(keyword, "BURL") || line.Is(keyword, "XEXCH50") || line.Is(keyword, "STARTTLS")
}

// command sends a command line to the origin.
func (o *origin) command(text string, n note) error {
	c, _ := smtp.ParseCommand([]byte(text), smtp.Loose)
	o.mu.Lock()
	for o.dialogue.Outstanding() >= pipeline.Max && o.over == nil {
		o.changed.Wait()
	}
	err := o.over
	if err == nil {
		err = o.dialogue.Command(c, n)
	}
	o.mu.Unlock()
	if err != nil {
		return err
	}
	return o.write(text)
}

// respond sends what answers a challenge of AUTH.
func (o *origin) respond(text string) error {
	o.mu.Lock()
	o.dialogue.Respond()
	o.mu.Unlock()
	return o.write(text)
}

// content sends content behind a BDAT, or behind DATA with the dot that ends it.
func (o *origin) content(r io.Reader, dotted bool) error {
	n, err := io.Copy(o.end, r)
	if err != nil {
		return err
	}
	o.mu.Lock()
	if dotted {
		err = o.dialogue.End(note{})
	} else {
		o.dialogue.Took(n)
	}
	o.mu.Unlock()
	if err == nil && dotted {
		err = o.write(".\r\n")
	}
	return err
}

func (o *origin) write(text string) error {
	_, err := io.WriteString(o.end, text)
	return err
}

// ask sends a command of our own and returns the origin's reply.
func (o *origin) ask(text string) (reply, error) {
	if err := o.command(text, note{own: true}); err != nil {
		return reply{}, err
	}
	r, ok := <-o.own
	if !ok {
		return r, errOver
	}
	return r, nil
}

// drain waits until the client has the replies to all commands, or a challenge. It
// returns what the client sends next, and the transaction.
func (o *origin) drain() (smtp.Next, envelope, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.over == nil && (o.saying || !o.dialogue.Settled() && o.dialogue.Next() != smtp.Response) {
		o.changed.Wait()
	}
	return o.dialogue.Next(), o.envelope, o.over
}

// forget ends the transaction.
func (o *origin) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.envelope = envelope{}
}
