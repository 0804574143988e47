package starttls

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// pop3 is the grammar of POP3 (RFC 1939) as far as authentication, with STLS
// (RFC 2595), CAPA and pipelining (RFC 2449), AUTH (RFC 5034) and LANG
// (RFC 6856).
type pop3 struct {
	sent     queue
	greeted  bool
	body     bool // the origin's reply goes on, up to a line with a dot
	response bool // the client's next line answers a SASL challenge
}

func (x *pop3) holdClient(text []byte) bool { return !x.response && line.CouldBe(text, "STLS", blanks) }

func (x *pop3) clientLine(d *Dialogue, text []byte) {
	if x.response {
		x.response = false
		d.await()
		return
	}
	verb, argument := line.Word(text, blanks)
	c := other
	switch {
	case line.Is(verb, "STLS"):
		d.mark(0, len(text))
		d.state = Requested
		c = upgrade
	case line.Is(verb, "CAPA"):
		c = capability
	case line.Is(verb, "AUTH") && len(argument) > 0:
		d.await()
		c = exchange
	case line.Is(verb, "AUTH"), line.Is(verb, "LANG") && len(argument) == 0:
		c = list
	case line.Is(verb, "PASS"), line.Is(verb, "APOP"):
		c = login
	}
	x.sent.push(d, c)
}

func (x *pop3) holdOrigin(text []byte) bool {
	if x.body {
		return x.sent.front() == capability && line.CouldBe(text, "STLS", blanks)
	}
	return x.sent.front() == upgrade
}

func (x *pop3) originLine(d *Dialogue, text []byte) {
	word, _ := line.Word(text, blanks)
	positive, negative := line.Is(word, "+OK"), line.Is(word, "-ERR")
	c := x.sent.front()
	switch {
	case x.body:
		x.bodyLine(d, text, word)
		return
	case !x.greeted && (positive || negative):
		x.greeted = true
		return
	case c == upgrade:
		d.mark(0, len(text))
	}
	switch {
	case c == exchange && string(word) == "+":
		x.response = true
		d.answered() // AUTH has no final reply yet
	case positive && (c == capability || c == list):
		x.body = true
	case positive || negative:
		x.sent.Pop()
		x.answer(d, c, positive)
	}
}

// answer acts on a whole reply to c.
func (*pop3) answer(d *Dialogue, c command, positive bool) {
	switch {
	case c == upgrade && positive:
		d.granted()
	case c == upgrade:
		d.refuse()
	case positive && (c == exchange || c == login):
		d.state = Done
	case c == exchange:
		d.answered()
	}
}

// bodyLine looks at a line of a reply with several.
func (x *pop3) bodyLine(d *Dialogue, text, word []byte) {
	if string(bytes.TrimRight(text, "\r\n")) == "." {
		x.body = false
		d.omitted = d.omitted || x.sent.front() == capability
		x.sent.Pop()
		return
	}
	if x.sent.front() == capability && line.Is(word, "STLS") {
		d.offered = true
		d.mark(0, len(text))
	}
}
