package starttls

import (
	"bytes"
	"slices"

	"github.com/clearspan/clearspan/decrypt/proto/imap"
	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// mailbox is the grammar of IMAP (RFC 9051) as far as authentication, with the
// literals of RFC 7888.
type mailbox struct {
	sent     []tagged // commands that could end the dialogue, without a reply
	greeted  bool
	tag      string // of the client's command at hand
	rest     bool   // the client's next line continues it, after a literal
	exchange bool   // it is AUTHENTICATE
	literal  uint64 // octets that the client sends once it may
	pending  bool   // literal waits for the origin's "+"
	response bool   // the client's next line answers a SASL challenge
	mid      bool   // the origin's next line continues a response, after a literal
}

// tagged is a command that waits for a reply with its tag.
type tagged struct {
	tag     string
	command command
}

func (x *mailbox) holdClient(text []byte) bool {
	if x.response || x.rest {
		return false
	}
	_, end := field(text, 0)
	return end == len(text) || imap.CouldBe(text[end:], imap.STARTTLS)
}

func (x *mailbox) clientLine(d *Dialogue, text []byte) {
	if x.response {
		x.response = false
		d.await()
		return
	}
	if !x.rest {
		x.command(d, text)
	}
	if d.state != Following {
		return
	}
	l, ok := imap.ParseLiteral(text)
	x.rest = ok
	switch {
	case ok && l.Plus:
		d.client.opaque = l.Size
	case ok:
		x.literal, x.pending = l.Size, true
		d.await()
	case x.exchange:
		d.await()
	}
}

// command reads the first line of a command.
func (x *mailbox) command(d *Dialogue, text []byte) {
	c, _ := imap.ParseCommand(text, imap.Loose)
	x.tag = string(c.Tag)
	x.exchange = c.Verb == imap.AUTHENTICATE
	switch c.Verb {
	case imap.STARTTLS:
		d.mark(0, len(text))
		d.state = Requested
		x.push(d, upgrade)
	case imap.LOGIN, imap.COMPRESS: // no lines are behind what is deflated (RFC 4978)
		x.push(d, login)
	case imap.AUTHENTICATE:
		x.push(d, exchange)
	}
}

func (x *mailbox) push(d *Dialogue, c command) {
	if len(x.sent) >= maxTags {
		d.state = Done
		return
	}
	x.sent = append(x.sent, tagged{x.tag, c})
}

func (x *mailbox) holdOrigin(text []byte) bool {
	if x.mid {
		return false
	}
	from, end := field(text, 0)
	first := text[from:end]
	if bytes.HasPrefix(first, []byte("+")) {
		return false
	}
	if end == len(text) || x.waiting(first, upgrade) >= 0 {
		return true
	}
	if string(first) == "*" && imap.CouldBe(text[end:], imap.CAPABILITY) {
		return true
	}
	from, next := field(text, end)
	if next == len(text) {
		return imap.CouldBeStatus(text[from:])
	}
	return isStatus(text[from:next]) && line.CouldBe(text[next:], "[CAPABILITY", blanks)
}

// isStatus reports whether a word begins a status response.
func isStatus(word []byte) bool { return imap.StatusOf(word) != imap.NoStatus }

// plain implements yielder, for a whole line. Services see all that comes with a login or
// behind it. What is outstanding before it holds no message.
func (x *mailbox) plain(d *Dialogue, text []byte) bool {
	if x.response || x.rest {
		return false
	}
	c, fault := imap.ParseCommand(text, imap.Strict)
	if _, literal := imap.ParseLiteral(text); fault == nil && !literal && c.BeforeLogin() {
		return false
	}
	d.yield(x.greeted && !x.mid && len(x.sent) == 0 && d.origin.opaque == 0 && !d.origin.line.Partial())
	return true
}

// waiting returns the index of the oldest command c with the tag, or -1.
func (x *mailbox) waiting(tag []byte, c command) int {
	return slices.IndexFunc(x.sent, func(t tagged) bool { return t.command == c && t.tag == string(tag) })
}

func (x *mailbox) originLine(d *Dialogue, text []byte) {
	defer d.relieve()
	if x.mid {
		x.originLiteral(d, text)
		return
	}
	from, end := field(text, 0)
	first := text[from:end]
	from, next := field(text, end)
	verb := text[from:next]
	switch {
	case bytes.HasPrefix(first, []byte("+")):
		x.proceed(d)
		return
	case string(first) == "*":
		if imap.StatusOf(verb) == imap.PREAUTH && !x.greeted && !d.yields { // services see the session that needs no login
			d.state = Done
		}
		x.greeted = true
		if !isStatus(verb) {
			x.originLiteral(d, text)
		}
	case x.answer(d, first, imap.StatusOf(verb) == imap.OK):
		d.mark(0, len(text))
		return
	}
	if string(first) == "*" && line.Is(verb, imap.CAPABILITY.String()) {
		capabilities(d, text, next)
	}
	if from, end := field(text, next); isStatus(verb) && line.Is(text[from:end], "[CAPABILITY") {
		capabilities(d, text, end)
	}
}

// originLiteral passes a literal of the origin.
func (x *mailbox) originLiteral(d *Dialogue, text []byte) {
	l, ok := imap.ParseLiteral(text)
	d.origin.opaque, x.mid = l.Size, ok
}

// proceed acts on a continuation request (RFC 9051, Section 7.6).
func (x *mailbox) proceed(d *Dialogue) {
	switch {
	case x.pending:
		x.pending = false
		d.client.opaque = x.literal
		d.answered()
	case d.wait:
		x.response = true
		d.answered()
	}
}

// answer acts on a tagged response. It reports whether that is the reply to
// STARTTLS.
func (x *mailbox) answer(d *Dialogue, tag []byte, ok bool) (upgraded bool) {
	if d.wait && x.tag == string(tag) { // refused: the literal or the exchange does not come
		x.pending, x.rest = false, false
		d.answered()
	}
	i := slices.IndexFunc(x.sent, func(t tagged) bool { return t.tag == string(tag) })
	if i < 0 {
		return false
	}
	c := x.sent[i].command
	x.sent = slices.Delete(x.sent, i, i+1)
	switch {
	case c == upgrade && ok:
		d.granted()
	case c == upgrade:
		d.refuse()
	case ok:
		d.state = Done
	}
	return c == upgrade
}

// capabilities looks through the list that begins at from and ends with the line
// or a bracket. LOGINDISABLED is part of the announcement: it makes no sense in a
// session that looks plain and has a login.
func capabilities(d *Dialogue, text []byte, from int) {
	for {
		start, end := field(text, from)
		word, _, closed := bytes.Cut(text[start:end], []byte("]"))
		starttls := line.Is(word, imap.STARTTLS.String())
		d.offered = d.offered || starttls
		if starttls || line.Is(word, "LOGINDISABLED") {
			d.mark(start-1, start+len(word)) // with the blank in front
		}
		if closed || end == len(text) {
			d.omitted = true // unless it was offered
			return
		}
		from = end
	}
}

// field returns the bounds of the next word in line from index at on.
func field(text []byte, at int) (from, to int) {
	from = len(text) - len(bytes.TrimLeft(text[at:], blanks))
	if n := bytes.IndexAny(text[from:], blanks); n >= 0 {
		return from, from + n
	}
	return from, len(text)
}
