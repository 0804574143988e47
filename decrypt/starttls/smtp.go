package starttls

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/line"
	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
	"github.com/clearspan/clearspan/decrypt/proto/smtp"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// mailGrammar is the grammar of SMTP with STARTTLS. Package smtp knows which reply
// answers which command, and what the client sends next.
type mailGrammar struct {
	dialogue smtp.Dialogue[struct{}]
	known    bool // it is no dialogue of FTP: a command has told
	chunking bool // BDAT is announced
}

func newMailGrammar() *mailGrammar {
	return &mailGrammar{dialogue: smtp.Dialogue[struct{}]{Strictness: smtp.Loose}}
}

func (x *mailGrammar) client(d *Dialogue, w *writer, p []byte) {
	if x.dialogue.Next() != smtp.Text {
		d.line(&d.client, w, p, x.holdClient, x.clientLine)
		return
	}
	_, n, _, err := x.dialogue.Text(p, struct{}{})
	w.add(n, false)
	if err != nil {
		d.state = Done
	}
}

func (x *mailGrammar) origin(d *Dialogue, w *writer, p []byte) {
	d.line(&d.origin, w, p, x.holdOrigin, x.originLine)
}

func (x *mailGrammar) holdClient(text []byte) bool {
	return x.dialogue.Next() == smtp.Line && (smtp.CouldBe(text, smtp.STARTTLS) || !x.known && smtp.CouldBe(text, smtp.AUTH))
}

func (x *mailGrammar) clientLine(d *Dialogue, text []byte) {
	if x.dialogue.Next() == smtp.Response {
		x.dialogue.Respond()
		d.await()
		return
	}
	c, _ := smtp.ParseCommand(text, smtp.Loose)
	if d.protocol = identify(d.protocol, c, text); d.protocol == sniff.FTP {
		x.fileGrammar(d).clientLine(d, text)
		return
	}
	x.known = d.protocol == sniff.SMTP
	switch {
	case c.Verb == smtp.STARTTLS:
		d.mark(0, len(text))
		d.state = Requested
	case c.Verb == smtp.BDAT && !x.chunking:
		c.Verb = smtp.Other // the origin takes the chunk for commands
	}
	if x.dialogue.Command(c, struct{}{}) != nil {
		d.state = Done
		return
	}
	switch x.dialogue.Next() {
	case smtp.Wait:
		if d.state != Requested {
			d.await()
		}
	case smtp.Chunk:
		d.client.opaque = uint64(x.dialogue.Chunk())
		x.dialogue.Took(x.dialogue.Chunk())
	}
}

// identify resolves [sniff.Greeting220] by a command of the client, also if that stands
// between odd blanks.
func identify(p sniff.Protocol, c smtp.Command, text []byte) sniff.Protocol {
	if p == sniff.Greeting220 && c.Verb != smtp.Other && c.Verb != smtp.AUTH {
		return sniff.Command(p, []byte(c.Verb.String()+"\n"))
	}
	return sniff.Command(p, bytes.TrimLeft(text, smtp.Blanks))
}

// fileGrammar has the dialogue go on as one of FTP.
func (x *mailGrammar) fileGrammar(d *Dialogue) *fileGrammar {
	f := &fileGrammar{heard: x.dialogue.Greeted, mail: x, before: x.dialogue.Outstanding()}
	f.replies.Code, f.replies.Within = x.dialogue.Within()
	if x.dialogue.Awaited() == smtp.Greeting {
		f.reply = greeting
	}
	for range x.dialogue.Outstanding() {
		f.sent.push(d, other)
	}
	d.grammar = lines{f}
	return f
}

// plain reports whether the client's next line, of which p holds the beginning or more,
// must not be passed now, because services are to see it: it moves the dialogue to
// Plain, has it await answers, or waits for more of the line. That is every line but
// the commands that come before mail: a server may take it for MAIL.
func (x *mailGrammar) plain(d *Dialogue, p []byte) bool {
	if x.dialogue.Next() != smtp.Line || d.client.line.Partial() || d.client.opaque > 0 {
		return false
	}
	end := bytes.IndexByte(p, '\n') + 1
	if end == 0 && len(p) < maxLine {
		return true
	}
	text := p
	if end > 0 {
		text = p[:end]
	}
	c, fault := smtp.ParseCommand(text, smtp.Strict)
	if identify(d.protocol, c, text) != sniff.SMTP {
		return false // not yet, or FTP
	}
	if end > 0 && fault == nil && beforeMail(c.Verb) {
		if x.dialogue.Outstanding() < pipeline.Max {
			return false
		}
	} else if x.dialogue.Settled() {
		d.state = Plain
		return true
	}
	d.wait, d.held, d.detained = true, true, true
	return true
}

// beforeMail reports whether a command comes before mail, and carries none.
func beforeMail(v smtp.Verb) bool {
	switch v {
	case smtp.EHLO, smtp.HELO, smtp.STARTTLS, smtp.AUTH, smtp.NOOP, smtp.RSET, smtp.HELP, smtp.VRFY, smtp.QUIT, smtp.XCLIENT, smtp.XFORWARD:
		return true
	}
	return false
}

func (x *mailGrammar) holdOrigin(text []byte) bool {
	switch x.dialogue.Awaited() {
	case smtp.STARTTLS:
		return true
	case smtp.EHLO:
		_, within := x.dialogue.Within()
		return within && line.CouldBe(text[:min(3, len(text))], "250", blanks) && (len(text) <= 4 || line.CouldBe(text[4:], "STARTTLS", blanks))
	}
	return false
}

func (x *mailGrammar) originLine(d *Dialogue, text []byte) {
	asked := x.dialogue.Awaited()
	a, err := x.dialogue.Reply(text)
	if err == nil {
		asked = a.To
	}
	if asked == smtp.STARTTLS {
		d.mark(0, len(text))
	}
	if err == smtp.ErrSmuggled {
		d.state = Violation // what it took for commands was not read
	}
	if err != nil {
		return
	}
	if a.To == smtp.EHLO && a.Code == 250 && !a.First {
		x.capability(d, a.Reply, text)
	}
	if a.Last {
		x.answer(d, a.To, a.Code)
		if d.yields && x.dialogue.Settled() {
			d.answered()
		}
	}
}

// capability looks at a line of the answer to EHLO other than the first, which
// names the origin.
func (x *mailGrammar) capability(d *Dialogue, r smtp.Reply, text []byte) {
	switch keyword, _ := r.Keyword(); {
	case line.Is(keyword, "CHUNKING"):
		x.chunking = true
	case line.Is(keyword, "STARTTLS") && r.Last:
		d.offered = true
		d.mark(4, len(bytes.TrimRight(text, blanks))) // "250 " still ends the reply
	case line.Is(keyword, "STARTTLS"):
		d.offered = true
		d.mark(0, len(text))
	case isGarbled(keyword):
		d.garbled = true
	}
}

// isGarbled tells what firewalls make of STARTTLS, in place, so that no client
// asks for it.
func isGarbled(word []byte) bool {
	return len(word) == len("STARTTLS") && bytes.Trim(word[:len(word)-1], "X*") == nil
}

// answer acts on a complete reply.
func (x *mailGrammar) answer(d *Dialogue, to smtp.Verb, code int) {
	switch to {
	case smtp.EHLO:
		d.omitted = code == 250
	case smtp.STARTTLS:
		if code == 220 {
			d.granted()
		} else {
			d.refuse()
		}
	case smtp.DATA, smtp.AUTH:
		d.answered()
	}
}
