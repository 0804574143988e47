package mail

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/proto/imap"
	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
)

// maxIMAPLine bounds a line of IMAP, in octets: lists of numbers and structures of
// messages are long.
const maxIMAPLine = 4 << 20

// mailbox is one IMAP session. One goroutine relays commands, another one responses.
type mailbox struct {
	*scan
	client *client
	origin *input
	far    decrypt.End

	mu       sync.Mutex
	changed  sync.Cond
	dialogue imap.Dialogue[*fetching]
	own      bool  // the origin's consent to a literal is for us
	saying   bool  // a response is on its way to the client
	over     error // why no response comes any more; nil: they come
	cuts     []cut // of the FETCH that is outstanding, which is alone then

	passed [16]passed // content that the service has passed, a ring; of the goroutine for responses
	at     int        // in it
}

// fetching is left with a FETCH for its tagged response.
type fetching struct {
	failed bool // something of it could not be inspected
}

func newMailbox(look *scan, near, far decrypt.End) *mailbox {
	x := &mailbox{scan: look, far: far, origin: newInputOf(far, maxIMAPLine, violatedIMAP),
		client: &client{input: newInputOf(near, maxIMAPLine, violatedIMAP), end: near}}
	x.changed.L = &x.mu
	return x
}

// commands implements side.
func (x *mailbox) commands() error {
	for {
		err := x.next()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return x.far.CloseWrite()
		case err != nil:
			return err
		}
	}
}

// next takes a command.
func (x *mailbox) next() error {
	text, err := x.client.line()
	if err != nil {
		return err
	}
	return x.perform(ended(text))
}

// perform relays a command, or answers it in the origin's place.
func (x *mailbox) perform(text []byte) error {
	c, fault := imap.ParseCommand(text, imap.Strict)
	_, announced := imap.ParseLiteral(text)
	switch {
	case fault != nil && (announced || fault == imap.ErrLiteral):
		return violatedIMAP(fault) // what follows would be read in different ways
	case fault != nil:
		return x.client.say([]byte("* BAD Syntax error\r\n"))
	}
	switch c.Verb {
	case imap.STARTTLS, imap.COMPRESS:
		if announced {
			return violatedIMAP(imap.ErrLiteral)
		}
		return x.refuse(c.Tag, "BAD", "Command not available")
	case imap.APPEND, imap.REPLACE:
		return x.store(c, text)
	case imap.FETCH:
		return x.fetch(c, text)
	}
	return x.command(c, text, nil)
}

// refuse answers a command in the origin's place.
func (x *mailbox) refuse(tag []byte, status, why string) error {
	return x.client.say(fmt.Appendf(nil, "%s %s %s\r\n", tag, status, why))
}

// command relays a command with its literals, and what answers challenges.
func (x *mailbox) command(c imap.Command, text []byte, note *fetching) error {
	if err := x.begin(c, text, note); err != nil {
		return err
	}
	for {
		next, left, err := x.await()
		switch {
		case err != nil:
			return err
		case next == imap.First:
			return nil
		case next == imap.Octets:
			if err := x.octets(left); err != nil {
				return err
			}
			continue
		}
		text, err := x.client.line()
		if err != nil {
			return err
		}
		text = ended(text)
		switch now, _, err := x.await(); {
		case err != nil:
			return err
		case now == imap.First: // the origin has answered meanwhile
			return x.perform(text)
		case c.Verb == imap.IDLE && !imap.IsDone(text):
			return violatedIMAP(imap.ErrTag)
		}
		if fault := imap.CheckLine(text); fault != nil && next == imap.Rest {
			return violatedIMAP(fault)
		}
		if err := x.line(text); err != nil {
			return err
		}
	}
}

// begin sends the first line of a command to the origin.
func (x *mailbox) begin(c imap.Command, text []byte, note *fetching) error {
	x.mu.Lock()
	for x.dialogue.Outstanding() >= pipeline.Max && x.over == nil {
		x.changed.Wait()
	}
	err := x.over
	if err == nil {
		if err = x.dialogue.Command(text, c, note); err != nil {
			err = violatedIMAP(err)
		}
	}
	x.mu.Unlock()
	if err == nil {
		_, err = x.far.Write(text)
	}
	return err
}

// line sends another line to the origin.
func (x *mailbox) line(text []byte) error {
	x.mu.Lock()
	x.dialogue.Line(text)
	x.mu.Unlock()
	_, err := x.far.Write(text)
	return err
}

// octets relays a literal of the client.
func (x *mailbox) octets(left uint64) error {
	for left > 0 {
		p, err := x.client.some()
		if err != nil {
			return within(err)
		}
		p = p[:min(left, uint64(len(p)))]
		if _, err := x.far.Write(p); err != nil {
			return err
		}
		n := len(p)
		x.client.br.Discard(n)
		left -= uint64(n)
		x.took(uint64(n))
	}
	return nil
}

func (x *mailbox) took(n uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dialogue.Took(n)
}

// await waits until it is known what the client sends next, and returns that and the
// octets of the literal at hand.
func (x *mailbox) await() (imap.Next, uint64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.over == nil && x.dialogue.Next() == imap.Wait {
		x.changed.Wait()
	}
	return x.dialogue.Next(), x.dialogue.Left(), x.over
}

// drain waits until the client has the responses to all commands.
func (x *mailbox) drain() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.over == nil && (x.saying || x.dialogue.Outstanding() > 0) {
		x.changed.Wait()
	}
	return x.over
}

// ended implements side.
func (x *mailbox) ended(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over = err; err == nil {
		x.over = errOver
	}
	x.changed.Broadcast()
}

// ended returns a copy of a line with its end.
func ended(text []byte) []byte {
	return append(append(make([]byte, 0, len(text)+2), text...), "\r\n"...)
}
