package starttls

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/line"
	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
	"github.com/clearspan/clearspan/decrypt/proto/pop3"
)

// postOffice is the grammar of POP3 (RFC 1939) as far as authentication, with STLS
// (RFC 2595), CAPA and pipelining (RFC 2449), AUTH (RFC 5034) and LANG
// (RFC 6856).
type postOffice struct {
	sent     queue
	greeted  bool
	body     bool // the origin's reply goes on, up to a line with a dot
	response bool // the client's next line answers a SASL challenge
}

func (x *postOffice) holdClient(text []byte) bool {
	return !x.response && pop3.CouldBe(text, pop3.STLS)
}

func (x *postOffice) clientLine(d *Dialogue, text []byte) {
	if x.response {
		x.response = false
		d.await()
		return
	}
	read, _ := pop3.ParseCommand(text, pop3.Loose)
	c := other
	switch argued := len(read.Argument) > 0; {
	case read.Verb == pop3.STLS:
		d.mark(0, len(text))
		d.state = Requested
		c = upgrade
	case read.Verb == pop3.CAPA:
		c = capability
	case read.Verb == pop3.AUTH && argued:
		d.await()
		c = exchange
	case read.Verb == pop3.AUTH, read.Verb == pop3.LANG && !argued:
		c = list
	case read.Verb == pop3.PASS, read.Verb == pop3.APOP:
		c = login
	}
	x.sent.push(d, c)
}

// plain implements yielder, for a whole line. Services see all that comes with a login or
// behind it.
func (x *postOffice) plain(d *Dialogue, text []byte) bool {
	if x.response {
		return false
	}
	c, fault := pop3.ParseCommand(text, pop3.Strict)
	if fault == nil && c.BeforeLogin() && x.sent.Len() < pipeline.Max {
		return false
	}
	d.yield(x.greeted && !x.body && x.sent.Len() == 0 && !d.origin.line.Partial())
	return true
}

func (x *postOffice) holdOrigin(text []byte) bool {
	if x.body {
		return x.sent.front() == capability && pop3.CouldBe(text, pop3.STLS)
	}
	return x.sent.front() == upgrade
}

func (x *postOffice) originLine(d *Dialogue, text []byte) {
	defer d.relieve()
	r, ok := pop3.ParseReply(text)
	final := ok && !r.Continue
	c := x.sent.front()
	switch {
	case x.body:
		x.bodyLine(d, text)
		return
	case !x.greeted && final:
		x.greeted = true
		return
	case c == upgrade:
		d.mark(0, len(text))
	}
	switch {
	case c == exchange && r.Continue:
		x.response = true
		d.answered() // AUTH has no final reply yet
	case r.Positive && (c == capability || c == list):
		x.body = true
	case final:
		x.sent.Pop()
		x.answer(d, c, r.Positive)
	}
}

// answer acts on a whole reply to c.
func (*postOffice) answer(d *Dialogue, c command, positive bool) {
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
func (x *postOffice) bodyLine(d *Dialogue, text []byte) {
	if string(bytes.TrimRight(text, "\r\n")) == "." {
		x.body = false
		d.omitted = d.omitted || x.sent.front() == capability
		x.sent.Pop()
		return
	}
	if word, _ := line.Word(text, blanks); x.sent.front() == capability && line.Is(word, pop3.STLS.String()) {
		d.offered = true
		d.mark(0, len(text))
	}
}
