package pop3

import (
	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
	"github.com/clearspan/clearspan/decrypt/proto/smtp"
)

// Next is what the client's next octets are.
type Next uint8

const (
	Line     Next = iota // a command line
	Wait                 // open: that depends on a reply that is outstanding
	Response             // a line that answers a challenge
)

// Dialogue follows one session: which reply answers which command, and what both ends
// send next. A reader may leave a note with each command, and gets it back with the
// reply. The zero value is [Strict] and stands before the server's greeting. A Dialogue
// is not safe for concurrent use.
type Dialogue[N any] struct {
	Strictness Strictness

	// Greeted is set by the first reply. Set it if the greeting was relayed before.
	Greeted bool

	sent    pipeline.Queue[sent[N]]
	next    Next
	within  bool // a reply goes on,
	lines   smtp.Content
	answers sent[N] // which is the one to this
}

// sent is a command without a whole reply.
type sent[N any] struct {
	verb  Verb
	multi bool
	note  N
}

// Answer is the first line of a reply and the command that it belongs to.
type Answer[N any] struct {
	Reply
	To    Verb // [None] if nobody asked, [Greeting], or the verb of a command
	Note  N    // of that command
	Lines bool // more lines follow, see [Dialogue.Text]
}

// Next returns what the client sends next.
func (d *Dialogue[N]) Next() Next { return d.next }

// Outstanding returns the number of commands without a whole reply.
func (d *Dialogue[N]) Outstanding() int {
	if d.within {
		return d.sent.Len() + 1
	}
	return d.sent.Len()
}

// Settled reports whether the server has greeted and answered every command.
func (d *Dialogue[N]) Settled() bool { return d.Greeted && !d.within && d.sent.Len() == 0 }

// Awaited returns the command that the server's next line belongs to, as far as it is
// known before that line.
func (d *Dialogue[N]) Awaited() Verb {
	if d.within {
		return d.answers.verb
	}
	if c, ok := d.sent.Front(); ok {
		return c.verb
	}
	return None
}

// Command takes a command that the client sends. After AUTH with an argument the client
// must wait. It returns [ErrOutstanding] if there are too many commands without a reply.
func (d *Dialogue[N]) Command(c Command, note N) error {
	if !d.sent.Push(sent[N]{c.Verb, c.multiLine(), note}) {
		return ErrOutstanding
	}
	if d.next = Line; c.Verb == AUTH && len(c.Argument) > 0 {
		d.next = Wait
	}
	return nil
}

// Respond takes a line that answers a challenge.
func (d *Dialogue[N]) Respond() { d.next = Wait }

// Assume ends [Wait] for a reader that cannot wait, as if a challenge had come, and
// returns Next.
func (d *Dialogue[N]) Assume() Next {
	if d.next == Wait {
		d.next = Response
	}
	return d.next
}

// Within reports whether a reply goes on: the server's next octets are for
// [Dialogue.Text].
func (d *Dialogue[N]) Within() bool { return d.within }

// Text takes octets of a reply that goes on off p, see [smtp.Content.Next].
func (d *Dialogue[N]) Text(p []byte) (text []byte, n int, over bool) {
	text, n, over = d.lines.Next(p)
	if over {
		d.End()
	}
	return text, n, over
}

// End ends a reply that goes on, for a reader that finds its end without Text.
func (d *Dialogue[N]) End() { d.within, d.answers = false, sent[N]{} }

// Ambiguous reports whether the lines so far hold an end for some clients.
func (d *Dialogue[N]) Ambiguous() bool { return d.lines.Ambiguous }

// Reply takes the first line of a reply, with or without its end. A malformed line
// changes nothing. Faults: [ErrReply], and [ErrUnasked] of a [Strict] reader.
func (d *Dialogue[N]) Reply(text []byte) (a Answer[N], err error) {
	r, ok := ParseReply(text)
	if !ok {
		return a, ErrReply
	}
	a = Answer[N]{Reply: r, To: None}
	if !d.Greeted && !r.Continue {
		d.Greeted, a.To = true, Greeting
		return a, nil
	}
	c, ok := d.sent.Front()
	switch {
	case !ok || r.Continue && c.verb != AUTH:
		if d.Strictness == Strict {
			return a, ErrUnasked
		}
		return a, nil
	case r.Continue:
		a.To, a.Note = c.verb, c.note
		d.Assume()
		return a, nil
	}
	d.sent.Pop()
	a.To, a.Note, a.Lines = c.verb, c.note, r.Positive && c.multi
	if a.Lines {
		d.within, d.lines, d.answers = true, smtp.Content{}, c
	} else if c.verb == AUTH {
		d.next = Line
	}
	return a, nil
}
