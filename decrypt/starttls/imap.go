package starttls

import (
	"bytes"
	"slices"
	"strconv"
)

// imap is the grammar of IMAP (RFC 9051) as far as authentication, with the
// literals of RFC 7888.
type imap struct {
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

func (x *imap) holdClient(line []byte) bool {
	if x.response || x.rest {
		return false
	}
	_, end := field(line, 0)
	return end == len(line) || couldBe(line[end:], "STARTTLS")
}

func (x *imap) clientLine(d *Dialogue, line []byte) {
	if x.response {
		x.response = false
		d.await()
		return
	}
	if !x.rest {
		x.command(d, line)
	}
	if d.state != Following {
		return
	}
	size, plus, ok := literal(line)
	x.rest = ok
	switch {
	case ok && plus:
		d.client.opaque = size
	case ok:
		x.literal, x.pending = size, true
		d.await()
	case x.exchange:
		d.await()
	}
}

// command reads the first line of a command.
func (x *imap) command(d *Dialogue, line []byte) {
	tag, rest := cutWord(line)
	verb, _ := cutWord(rest)
	x.tag = string(tag)
	x.exchange = is(verb, "AUTHENTICATE")
	switch {
	case is(verb, "STARTTLS"):
		d.mark(0, len(line))
		d.state = Requested
		x.push(d, upgrade)
	case is(verb, "LOGIN"):
		x.push(d, login)
	case x.exchange:
		x.push(d, exchange)
	}
}

func (x *imap) push(d *Dialogue, c command) {
	if len(x.sent) >= maxTags {
		d.state = Done
		return
	}
	x.sent = append(x.sent, tagged{x.tag, c})
}

// statuses begin a status response (RFC 9051, Section 7.1).
var statuses = []string{"OK", "NO", "BAD", "PREAUTH", "BYE"}

func isStatus(word []byte) bool {
	return slices.ContainsFunc(statuses, func(s string) bool { return is(word, s) })
}

func (x *imap) holdOrigin(line []byte) bool {
	if x.mid {
		return false
	}
	from, end := field(line, 0)
	first := line[from:end]
	if bytes.HasPrefix(first, []byte("+")) {
		return false
	}
	if end == len(line) || x.waiting(first, upgrade) >= 0 {
		return true
	}
	if string(first) == "*" && couldBe(line[end:], "CAPABILITY") {
		return true
	}
	from, next := field(line, end)
	if next == len(line) {
		return slices.ContainsFunc(statuses, func(s string) bool { return couldBe(line[from:], s) })
	}
	return isStatus(line[from:next]) && couldBe(line[next:], "[CAPABILITY")
}

// waiting returns the index of the oldest command c with the tag, or -1.
func (x *imap) waiting(tag []byte, c command) int {
	return slices.IndexFunc(x.sent, func(t tagged) bool { return t.command == c && t.tag == string(tag) })
}

func (x *imap) originLine(d *Dialogue, line []byte) {
	if x.mid {
		x.originLiteral(d, line)
		return
	}
	from, end := field(line, 0)
	first := line[from:end]
	from, next := field(line, end)
	verb := line[from:next]
	switch {
	case bytes.HasPrefix(first, []byte("+")):
		x.proceed(d)
		return
	case string(first) == "*":
		if is(verb, "PREAUTH") && !x.greeted {
			d.state = Done
		}
		x.greeted = true
		if !isStatus(verb) {
			x.originLiteral(d, line)
		}
	case x.answer(d, first, is(verb, "OK")):
		d.mark(0, len(line))
		return
	}
	if string(first) == "*" && is(verb, "CAPABILITY") {
		capabilities(d, line, next)
	}
	if from, end := field(line, next); isStatus(verb) && is(line[from:end], "[CAPABILITY") {
		capabilities(d, line, end)
	}
}

// originLiteral passes a literal of the origin.
func (x *imap) originLiteral(d *Dialogue, line []byte) {
	d.origin.opaque, _, x.mid = literal(line)
}

// proceed acts on a continuation request (RFC 9051, Section 7.6).
func (x *imap) proceed(d *Dialogue) {
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
func (x *imap) answer(d *Dialogue, tag []byte, ok bool) (upgraded bool) {
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
func capabilities(d *Dialogue, line []byte, from int) {
	for {
		start, end := field(line, from)
		word, _, closed := bytes.Cut(line[start:end], []byte("]"))
		starttls := is(word, "STARTTLS")
		d.offered = d.offered || starttls
		if starttls || is(word, "LOGINDISABLED") {
			d.mark(start-1, start+len(word)) // with the blank in front
		}
		if closed || end == len(line) {
			d.omitted = true // unless it was offered
			return
		}
		from = end
	}
}

// field returns the bounds of the next word in line from index at on.
func field(line []byte, at int) (from, to int) {
	from = len(line) - len(bytes.TrimLeft(line[at:], blanks))
	if n := bytes.IndexAny(line[from:], blanks); n >= 0 {
		return from, from + n
	}
	return from, len(line)
}

// literal reads the announcement of a literal at the end of a line: "{12}", or
// "{12+}" if it follows without the origin's consent.
func literal(line []byte) (size uint64, plus, ok bool) {
	text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	text, ok = bytes.CutSuffix(text, []byte("}"))
	open := bytes.LastIndexByte(text, '{')
	if !ok || open < 0 {
		return 0, false, false
	}
	text, plus = bytes.CutSuffix(text[open+1:], []byte("+"))
	size, err := strconv.ParseUint(string(text), 10, 63)
	if err != nil {
		return 0, false, false
	}
	return size, plus, true
}
