package starttls

import (
	"github.com/clearspan/clearspan/decrypt/proto/ftp"
	"github.com/clearspan/clearspan/decrypt/proto/line"
	"github.com/clearspan/clearspan/decrypt/proto/smtp"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// fileGrammar is the grammar of FTP (RFC 959) with AUTH (RFC 2228), as TLS uses it
// (RFC 4217), and FEAT (RFC 2389). A user who has logged in may still ask for TLS,
// so that the dialogue is over only with its connection.
type fileGrammar struct {
	sent    queue
	heard   bool // the origin has sent a reply
	replies ftp.Replies
	reply   command // that the reply which goes on answers

	mail   *mailGrammar // goes on if the server takes no command of FTP; nil: it has taken one
	before int          // commands without a reply that both protocols have
}

// follow has what the dialogue would be otherwise keep count of commands.
func (x *fileGrammar) follow() {
	if x.mail != nil {
		x.mail.dialogue.Command(smtp.Command{Verb: smtp.Other}, struct{}{}) // too many end the dialogue here, too
	}
}

// agreed acts on the reply to a command: whether the server knows it tells whether this
// is FTP at all, if only the client's commands have told so.
func (x *fileGrammar) agreed(d *Dialogue, code int) {
	switch {
	case x.mail == nil:
	case x.before > 0:
		x.before--
	case code < 400:
		x.mail = nil
	default:
		d.grammar, d.protocol = x.mail, sniff.Greeting220
	}
}

func (x *fileGrammar) holdClient(text []byte) bool { return line.CouldBe(text, "AUTH", blanks) }

func (x *fileGrammar) clientLine(d *Dialogue, text []byte) {
	x.follow()
	verb, argument := ftp.ParseCommand(text)
	c := other
	switch {
	case line.Is(verb, "AUTH") && isTLS(argument):
		d.mark(0, len(text))
		d.state = Requested
		c = upgrade
	case line.Is(verb, "FEAT"):
		c = capability
	}
	x.sent.push(d, c)
}

// isTLS tells whether a mechanism is TLS: TLS and SSL, TLS-C and TLS-P, and lists
// of these with semicolons.
func isTLS(mechanism []byte) bool {
	for _, name := range []string{"TLS", "SSL"} {
		if len(mechanism) >= len(name) && line.Is(mechanism[:len(name)], name) {
			return true
		}
	}
	return false
}

// expected is the command that the origin's line belongs to.
func (x *fileGrammar) expected() command {
	if x.replies.Within {
		return x.reply
	}
	return x.sent.front()
}

func (x *fileGrammar) holdOrigin(text []byte) bool {
	switch x.expected() {
	case upgrade:
		return true
	case capability:
		return x.replies.Within && line.CouldBe(text, "AUTH", blanks)
	}
	return false
}

func (x *fileGrammar) originLine(d *Dialogue, text []byte) {
	if x.mail != nil {
		x.mail.dialogue.Reply(text) // its errors are for who reads mail
	}
	c, within := x.expected(), x.replies.Within
	r, ok := x.replies.Next(text)
	if ok && !x.heard {
		c = greeting
		x.heard = r.Code >= 200 // 120 only says when
	}
	if c == upgrade {
		d.mark(0, len(text))
	}
	if within && !ok && c == capability {
		if word, rest := line.Word(text, blanks); line.Is(word, "AUTH") && isTLS(rest) {
			d.offered = true
			d.mark(0, len(text))
		}
	}
	if !ok {
		return
	}
	x.reply = c
	if r.Last && r.Code >= 200 { // below, it is a preliminary reply
		x.answer(d, c, r.Code)
	}
}

// answer acts on a complete reply to c.
func (x *fileGrammar) answer(d *Dialogue, c command, code int) {
	switch c {
	case greeting:
		return
	case capability:
		d.omitted = code == 211
	case upgrade:
		if code == 234 {
			d.granted()
		} else {
			d.refuse()
		}
	}
	x.sent.Pop()
	x.agreed(d, code)
}
