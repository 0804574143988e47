package starttls

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

// smtp is the grammar of SMTP (RFC 5321) with STARTTLS (RFC 3207), pipelining
// (RFC 2920), CHUNKING (RFC 3030) and AUTH (RFC 4954).
type smtp struct {
	sent     queue
	known    bool    // it is no dialogue of FTP: a command has told
	heard    bool    // the origin has sent a reply
	mid      bool    // the origin's reply goes on,
	reply    command // which is the one to this
	chunking bool    // BDAT is announced
	content  bool    // the client sends mail content, up to a line with a dot
	crlf     bool    // the line of content before ended in CRLF
	response bool    // the client's next line answers a SASL challenge
}

func (x *smtp) holdClient(line []byte) bool {
	return !x.content && !x.response && (couldBe(line, "STARTTLS") || !x.known && couldBe(line, "AUTH"))
}

func (x *smtp) clientLine(d *Dialogue, line []byte) {
	switch {
	case x.content:
		if x.crlf && string(line) == ".\r\n" {
			x.content = false
			x.push(d, other)
		}
		x.crlf = bytes.HasSuffix(line, []byte("\r\n"))
		return
	case x.response:
		x.response = false
		d.await()
		return
	}
	if d.protocol == sniff.Greeting220 {
		if d.protocol = sniff.Command(d.protocol, bytes.TrimLeft(line, blanks)); d.protocol == sniff.FTP {
			f := &ftp{sent: x.sent, heard: x.heard, mid: x.mid, reply: x.reply}
			d.grammar = lines{f}
			f.clientLine(d, line)
			return
		}
	}
	x.known = d.protocol == sniff.SMTP
	verb, argument := cutWord(line)
	switch {
	case is(verb, "STARTTLS"):
		d.mark(0, len(line))
		d.state = Requested
		x.push(d, upgrade)
	case is(verb, "EHLO"):
		x.push(d, capability)
	case is(verb, "DATA"):
		d.await()
		x.push(d, content)
	case is(verb, "AUTH"):
		d.await()
		x.push(d, exchange)
	case is(verb, "BDAT") && x.chunking:
		// The chunk follows at once, whatever the answer (RFC 3030, Section 2).
		size, _ := cutWord(argument)
		if n, err := strconv.ParseUint(string(size), 10, 63); err == nil {
			d.client.opaque = n
		}
		x.push(d, other)
	default:
		x.push(d, other)
	}
}

// beforeMail are the commands that come before mail, and carry none.
var beforeMail = []string{"EHLO", "HELO", "STARTTLS", "AUTH", "NOOP", "RSET", "HELP", "VRFY", "QUIT", "XCLIENT", "XFORWARD"}

// plain implements yielder. Any command but those before mail is one that services
// are to see: whatever a server may take for MAIL.
func (x *smtp) plain(d *Dialogue, p []byte) bool {
	if x.content || x.response {
		return false
	}
	end := bytes.IndexByte(p, '\n')
	if end < 0 && len(p) < maxLine {
		return true // the line is not whole
	}
	line := p
	if end >= 0 {
		line = bytes.TrimSuffix(p[:end], []byte("\r"))
	}
	verb, _ := cutWord(line)
	if sniff.Command(d.protocol, bytes.TrimLeft(line, blanks)) != sniff.SMTP {
		return false // not yet, or FTP
	}
	// A server may take a bare CR for the end of a line.
	if end >= 0 && bytes.IndexByte(line, '\r') < 0 && slices.ContainsFunc(beforeMail, func(name string) bool { return is(verb, name) }) {
		if len(x.sent.commands)-x.sent.head < maxOutstanding {
			return false
		}
	} else if x.settled() {
		d.state = Plain
		return true
	}
	d.wait, d.held, d.detained = true, true, true
	return true
}

// settled reports whether the origin has greeted and answered every command.
func (x *smtp) settled() bool {
	return x.heard && !x.mid && x.sent.head == len(x.sent.commands)
}

func (x *smtp) push(d *Dialogue, c command) {
	if !x.sent.push(c) {
		d.state = Done
	}
}

// expected is the command that the origin's line belongs to.
func (x *smtp) expected() command {
	if x.mid {
		return x.reply
	}
	return x.sent.front()
}

func (x *smtp) holdOrigin(line []byte) bool {
	switch x.expected() {
	case upgrade:
		return true
	case capability:
		return x.mid && couldBe(line[:min(3, len(line))], "250") && (len(line) <= 4 || couldBe(line[4:], "STARTTLS"))
	}
	return false
}

func (x *smtp) originLine(d *Dialogue, line []byte) {
	code, last, ok := replyLine(line)
	c := x.expected()
	if ok && !x.heard {
		x.heard = true
		if code == 220 {
			c = greeting
		}
	}
	if c == upgrade {
		d.mark(0, len(line))
	}
	if !ok {
		return
	}
	if c == capability && code == 250 && x.mid {
		x.capability(d, line, last)
	}
	x.mid, x.reply = !last, c
	if last {
		x.answer(d, c, code)
		if d.yields && x.settled() {
			d.answered()
		}
	}
}

// capability looks at a line of the answer to EHLO other than the first, which
// names the origin.
func (x *smtp) capability(d *Dialogue, line []byte, last bool) {
	word, _ := cutWord(line[4:])
	switch {
	case is(word, "CHUNKING"):
		x.chunking = true
	case is(word, "STARTTLS") && last:
		d.offered = true
		text := bytes.TrimRight(line, blanks)
		d.mark(4, len(text)) // "250 " still ends the reply
	case is(word, "STARTTLS"):
		d.offered = true
		d.mark(0, len(line))
	case isGarbled(word):
		d.garbled = true
	}
}

// isGarbled tells what firewalls make of STARTTLS, in place, so that no client
// asks for it.
func isGarbled(word []byte) bool {
	return len(word) == len("STARTTLS") && bytes.Trim(word[:len(word)-1], "X*") == nil
}

// answer acts on a complete reply to c.
func (x *smtp) answer(d *Dialogue, c command, code int) {
	switch c {
	case greeting:
		return
	case capability:
		d.omitted = code == 250
	case upgrade:
		if code == 220 {
			d.granted()
		} else {
			d.refuse()
		}
	case content:
		d.answered()
		x.content, x.crlf = code == 354, true
	case exchange:
		d.answered()
		if code == 334 {
			x.response = true
			return // AUTH has no final reply yet
		}
	}
	x.sent.pop()
}

// replyLine reads "250 text", "250-text" or "250" (RFC 5321, Section 4.2).
func replyLine(line []byte) (code int, last, ok bool) {
	text := bytes.TrimRight(line, "\r\n")
	if len(text) < 3 {
		return 0, false, false
	}
	for _, c := range text[:3] {
		if c < '0' || c > '9' {
			return 0, false, false
		}
		code = code*10 + int(c-'0')
	}
	if len(text) > 3 && text[3] != ' ' && text[3] != '-' {
		return 0, false, false
	}
	return code, len(text) == 3 || text[3] == ' ', true
}
