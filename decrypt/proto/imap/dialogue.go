package imap

import (
	"slices"

	"github.com/clearspan/clearspan/decrypt/proto/line"
	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
)

// Next is what the client's next octets are.
type Next uint8

const (
	First  Next = iota // the first line of a command
	Wait               // open: that depends on a response that is outstanding
	Reply              // a line that answers a challenge, or ends IDLE
	Octets             // of a literal, see [Dialogue.Left]
	Rest               // a line that goes on behind a literal
)

// Dialogue follows one session: which response answers which command, and what the
// client sends next. A reader may leave a note with each command, and gets it back with
// the answer. The zero value is [Strict]. A Dialogue is not safe for concurrent use.
type Dialogue[N any] struct {
	Strictness Strictness

	sent  []sent[N] // without a tagged response, in order
	next  Next
	after Next   // what comes when the wait ends
	left  uint64 // octets of the literal that did not come yet
	hand  sent[N]
}

// sent is a command.
type sent[N any] struct {
	tag  string
	verb Verb
	note N
}

// Answer is the first line of a response, and the command that it belongs to.
type Answer[N any] struct {
	Response
	To   Verb // [None] unless the response is tagged and its tag is known
	Note N    // of that command
}

// Next returns what the client sends next.
func (d *Dialogue[N]) Next() Next { return d.next }

// Outstanding returns the number of commands without a tagged response.
func (d *Dialogue[N]) Outstanding() int { return len(d.sent) }

// Verb returns the command at hand: the last one of which a first line came.
func (d *Dialogue[N]) Verb() Verb { return d.hand.verb }

// Command takes the first line of a command.
func (d *Dialogue[N]) Command(text []byte, c Command, note N) error {
	if len(d.sent) >= pipeline.Max {
		return ErrOutstanding
	}
	if d.Strictness == Strict && slices.ContainsFunc(d.sent, func(s sent[N]) bool { return s.tag == string(c.Tag) }) {
		return ErrTagInUse
	}
	d.hand = sent[N]{string(c.Tag), c.Verb, note}
	d.sent = append(d.sent, d.hand)
	d.line(text)
	return nil
}

// Line takes a line that is no first one: behind a literal, or the answer to a challenge.
func (d *Dialogue[N]) Line(text []byte) {
	if d.next != Reply {
		d.line(text)
		return
	}
	d.next = First
	if d.hand.verb == AUTHENTICATE {
		d.next, d.after = Wait, Reply
	}
}

// line looks for what follows a line of a command.
func (d *Dialogue[N]) line(text []byte) {
	d.next = First
	l, ok := ParseLiteral(text)
	switch {
	case ok && l.Plus:
		d.left = l.Size
		d.next = d.literal()
	case ok:
		d.left = l.Size
		d.next, d.after = Wait, d.literal()
	case d.hand.verb == AUTHENTICATE, d.hand.verb == IDLE:
		d.next, d.after = Wait, Reply
	}
}

func (d *Dialogue[N]) literal() Next {
	if d.left == 0 {
		return Rest
	}
	return Octets
}

// Left returns the number of octets of the literal that did not come yet.
func (d *Dialogue[N]) Left() uint64 { return d.left }

// Took takes n octets of the literal.
func (d *Dialogue[N]) Took(n uint64) {
	if d.left -= n; d.left == 0 {
		d.next = Rest
	}
}

// Assume ends [Wait] for a reader that cannot wait, as if the client were asked to go on,
// and returns Next.
func (d *Dialogue[N]) Assume() Next {
	if d.next == Wait {
		d.next = d.after
	}
	return d.next
}

// Respond takes the first line of a response. Faults: [ErrResponse], and [ErrUnasked] of
// a [Strict] reader. A malformed line changes nothing.
func (d *Dialogue[N]) Respond(text []byte) (a Answer[N], err error) {
	r, ok := ParseResponse(text)
	if !ok {
		return a, ErrResponse
	}
	a = Answer[N]{Response: r, To: None}
	switch r.Kind {
	case Continue:
		if d.next != Wait && d.Strictness == Strict {
			return a, ErrUnasked
		}
		d.Assume()
	case Tagged:
		i := slices.IndexFunc(d.sent, func(s sent[N]) bool { return s.tag == string(r.Tag) })
		if i < 0 {
			break
		}
		a.To, a.Note = d.sent[i].verb, d.sent[i].note
		if d.sent = slices.Delete(d.sent, i, i+1); len(d.sent) == 0 {
			d.sent = nil
		}
		d.answered(r.Tag)
	}
	return a, nil
}

// answered has the client go on with another command if the one at hand is over.
func (d *Dialogue[N]) answered(tag []byte) {
	if d.hand.tag != string(tag) {
		return
	}
	if d.next == Wait || d.next == Reply {
		d.next, d.left = First, 0
	}
}

// IsDone reports whether a line ends IDLE (RFC 2177, Section 3).
func IsDone(text []byte) bool {
	word, rest := line.Word(text, line.Blanks)
	return line.Is(word, "DONE") && len(rest) == 0
}

// Notes calls f with the note of each command without a tagged response.
func (d *Dialogue[N]) Notes(f func(note N)) {
	for _, s := range d.sent {
		f(s.note)
	}
}
