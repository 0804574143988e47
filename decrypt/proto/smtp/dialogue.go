package smtp

import "github.com/clearspan/clearspan/decrypt/proto/pipeline"

// Next is what the client's next octets are.
type Next uint8

const (
	Line     Next = iota // a command line
	Wait                 // open: that depends on a reply that is outstanding
	Response             // a line that answers a challenge (RFC 4954, Section 4)
	Text                 // content after DATA, see [Dialogue.Text]
	Chunk                // content of BDAT, see [Dialogue.Chunk]
)

// Dialogue follows one session: which reply answers which command, and what the client
// sends next. A reader may leave a note with each command, and gets it back with the
// reply. The zero value is [Strict] and stands before the server's greeting. A Dialogue
// is not safe for concurrent use.
type Dialogue[N any] struct {
	Strictness Strictness

	// Greeted is set by the first reply. Set it if the greeting was relayed before.
	Greeted bool

	sent  pipeline.Queue[sent[N]]
	next  Next
	chunk int64

	content Content // after DATA
	note    N       // of that content

	waits int  // DATA, AUTH and STARTTLS without a final reply
	last  Verb // the last of them

	lmtp     bool // LHLO was said: the end of content has a reply for each recipient
	accepted int  // recipients of the transaction whose replies came
	replies  int  // to the end of its content

	within  bool    // a reply goes on,
	code    int     // with this code,
	answers sent[N] // which is the one to this
}

// sent is a command without a final reply.
type sent[N any] struct {
	verb Verb
	note N
}

// Answer is a line of a reply and the command that it belongs to.
type Answer[N any] struct {
	Reply
	First bool // line of the reply
	To    Verb // [None] if nobody asked, [Greeting], [Message], or the verb of a command
	Note  N    // of that command

	// Final is set if the command has its reply with this line. A challenge of AUTH is
	// not final. [Message] has several final replies in LMTP, one for each recipient that
	// was accepted (RFC 2033, Section 4.2).
	Final bool
}

// Next returns what the client sends next.
func (d *Dialogue[N]) Next() Next { return d.next }

// Settled reports whether the server has greeted and answered every command.
func (d *Dialogue[N]) Settled() bool { return d.Greeted && !d.within && d.sent.Len() == 0 }

// Outstanding returns the number of commands without a final reply.
func (d *Dialogue[N]) Outstanding() int { return d.sent.Len() }

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

// Within returns the code of a reply that goes on, false if none does.
func (d *Dialogue[N]) Within() (code int, ok bool) { return d.code, d.within }

// Command takes a command that the client sends. After DATA, AUTH and STARTTLS the
// client must wait; after BDAT its chunk follows at once. It returns [ErrOutstanding]
// if there are too many commands without a reply.
func (d *Dialogue[N]) Command(c Command, note N) error {
	var size int64
	verb := c.Verb
	if verb == BDAT {
		var last bool
		if size, last, _ = c.Chunk(); last {
			verb = Message
		}
	}
	if !d.sent.Push(sent[N]{verb, note}) {
		return ErrOutstanding
	}
	switch verb {
	case DATA, AUTH, STARTTLS:
		d.next, d.last = Wait, verb
		d.waits++
	}
	if size > 0 {
		d.next, d.chunk = Chunk, size
	}
	return nil
}

// Respond takes a line that answers a challenge.
func (d *Dialogue[N]) Respond() { d.next = Wait }

// Text takes octets of content off p, see [Content.Next]. The end of the content is
// answered like a command: note is for that reply.
func (d *Dialogue[N]) Text(p []byte, note N) (text []byte, n int, over bool, err error) {
	d.note = note
	if text, n, over = d.content.Next(p); over {
		err = d.End(note)
	}
	return text, n, over, err
}

// Lost says that octets of content after DATA are lost. They may hide its end: a reply
// then ends it.
func (d *Dialogue[N]) Lost(note N) {
	d.note = note
	d.content.lost()
}

// End takes the end of content, of a reader that finds it without Text.
func (d *Dialogue[N]) End(note N) error {
	d.next, d.content = Line, Content{}
	if !d.sent.Push(sent[N]{Message, note}) {
		return ErrOutstanding
	}
	return nil
}

// Chunk returns the number of octets of the chunk that did not come yet.
func (d *Dialogue[N]) Chunk() int64 { return d.chunk }

// Took takes n octets of the chunk.
func (d *Dialogue[N]) Took(n int64) {
	if d.chunk -= n; d.chunk <= 0 && d.next == Chunk {
		d.chunk, d.next = 0, Line
	}
}

// Assume ends [Wait] for a reader that cannot wait, as if the reply were positive, and
// returns Next. If the reply is negative, Next is [Line] again.
func (d *Dialogue[N]) Assume() Next {
	if d.next == Wait {
		d.next = Line
		switch d.last {
		case DATA:
			d.next = Text
		case AUTH:
			d.next = Response
		}
	}
	return d.next
}

// Reply takes a line of the server, with or without its end. A malformed line changes
// nothing. Faults: [ErrReply]; [ErrSmuggled]; [ErrCodeChange] and [ErrUnasked] of a
// [Strict] reader.
//
// A reply within content tells that the server took a lone dot for its end which is
// none to us. If the client waited for that reply, the content ends there: an answer to
// [Message] comes without an end of Text. Otherwise it is [ErrSmuggled].
func (d *Dialogue[N]) Reply(text []byte) (a Answer[N], err error) {
	r, ok := ParseReply(text)
	if !ok {
		return a, ErrReply
	}
	first := !d.within
	if first {
		if err := d.interrupt(r.Code); err != nil {
			return a, err
		}
		d.answers = d.question(r.Code)
	} else if r.Code != d.code && d.Strictness == Strict {
		return a, ErrCodeChange
	}
	if r.Code == 354 && d.answers.verb != DATA && d.Strictness == Strict {
		return a, ErrUnasked
	}
	d.Greeted, d.within, d.code = true, !r.Last, r.Code
	a = Answer[N]{Reply: r, First: first, To: d.answers.verb, Note: d.answers.note}
	if r.Last {
		a.Final = d.answered(a.To, r.Code)
		d.answers = sent[N]{}
	}
	return a, nil
}

// interrupt acts on a reply within content. 421 ends the session anyway.
func (d *Dialogue[N]) interrupt(code int) error {
	switch {
	case d.next != Text || d.sent.Len() > 0 || code == 421:
	case d.content.Lone() || d.content.gap:
		return d.End(d.note)
	case d.content.Ambiguous:
		return ErrSmuggled
	}
	return nil
}

// question returns the command that a reply with a code answers. A Loose reader may
// have missed the greeting.
func (d *Dialogue[N]) question(code int) sent[N] {
	if !d.Greeted && (code == 220 || d.Strictness == Strict) {
		return sent[N]{verb: Greeting}
	}
	if c, ok := d.sent.Front(); ok {
		return c
	}
	return sent[N]{verb: None}
}

// answered acts on a whole reply and reports whether it is final.
func (d *Dialogue[N]) answered(to Verb, code int) (final bool) {
	if to == Greeting || to == None {
		return true
	}
	next := Line
	switch {
	case to == DATA && code == 354:
		next = Text
	case to == AUTH && code == 334:
		next = Response
	}
	if to == DATA || to == AUTH || to == STARTTLS {
		if d.waits == 1 && (d.next == Wait || next == Line && d.next != Chunk) {
			d.next, d.content = next, Content{}
		}
		if next != Response {
			d.waits--
		}
	}
	if next == Response {
		return false
	}
	if d.count(to, code) {
		d.sent.Pop()
	}
	return true
}

// count keeps account of recipients, and reports whether a command has no further reply.
// A [Strict] reader knows SMTP only.
func (d *Dialogue[N]) count(to Verb, code int) (over bool) {
	good := code/100 == 2
	switch {
	case d.Strictness == Strict:
	case to == LHLO, to == EHLO, to == HELO:
		if good {
			d.lmtp, d.accepted = to == LHLO, 0
		}
	case to == MAIL, to == RSET:
		d.accepted = 0
	case to == RCPT && good:
		d.accepted++
	case to == Message && d.lmtp:
		if d.replies++; d.replies < d.accepted && code != 421 {
			return false
		}
		d.replies, d.accepted = 0, 0
	}
	return true
}
