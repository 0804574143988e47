package starttls

import "bytes"

// pop3 is the grammar of POP3 (RFC 1939) as far as authentication, with STLS
// (RFC 2595), CAPA and pipelining (RFC 2449), AUTH (RFC 5034) and LANG
// (RFC 6856).
type pop3 struct {
	sent     queue
	greeted  bool
	body     bool // the origin's reply goes on, up to a line with a dot
	response bool // the client's next line answers a SASL challenge
}

func (x *pop3) holdClient(line []byte) bool { return !x.response && couldBe(line, "STLS") }

func (x *pop3) clientLine(d *Dialogue, line []byte) {
	if x.response {
		x.response = false
		d.await()
		return
	}
	verb, argument := cutWord(line)
	c := other
	switch {
	case is(verb, "STLS"):
		d.mark(0, len(line))
		d.state = Requested
		c = upgrade
	case is(verb, "CAPA"):
		c = capability
	case is(verb, "AUTH") && len(argument) > 0:
		d.await()
		c = exchange
	case is(verb, "AUTH"), is(verb, "LANG") && len(argument) == 0:
		c = list
	case is(verb, "PASS"), is(verb, "APOP"):
		c = login
	}
	if !x.sent.push(c) {
		d.state = Done
	}
}

func (x *pop3) holdOrigin(line []byte) bool {
	if x.body {
		return x.sent.front() == capability && couldBe(line, "STLS")
	}
	return x.sent.front() == upgrade
}

func (x *pop3) originLine(d *Dialogue, line []byte) {
	word, _ := cutWord(line)
	if x.body {
		x.bodyLine(d, line, word)
		return
	}
	c := x.sent.front()
	positive, negative := is(word, "+OK"), is(word, "-ERR")
	if !x.greeted && (positive || negative) {
		x.greeted = true
		return
	}
	if c == upgrade {
		d.mark(0, len(line))
	}
	switch {
	case c == exchange && string(word) == "+":
		x.response = true
		d.answered()
		return // AUTH has no final reply yet
	case !positive && !negative:
		return
	case positive && (c == capability || c == list):
		x.body = true
		return
	case positive && c == upgrade:
		d.granted()
	case c == upgrade:
		d.refuse()
	case positive && (c == exchange || c == login):
		d.state = Done
	case c == exchange:
		d.answered()
	}
	x.sent.pop()
}

// bodyLine looks at a line of a reply with several.
func (x *pop3) bodyLine(d *Dialogue, line, word []byte) {
	if string(bytes.TrimRight(line, "\r\n")) == "." {
		x.body = false
		d.omitted = d.omitted || x.sent.front() == capability
		x.sent.pop()
		return
	}
	if x.sent.front() == capability && is(word, "STLS") {
		d.offered = true
		d.mark(0, len(line))
	}
}
