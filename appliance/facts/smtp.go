package facts

import (
	"bytes"
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto"
)

const maxLine = 2000 // octets of a command or reply that are looked at

// smtp follows SMTP (RFC 5321) with CHUNKING (RFC 3030).
type smtp struct {
	s       *Session
	mail    Mail
	open    bool // a message is under way
	waiting bool // DATA was said
	reading bool // content comes, up to a line with a dot
	chunk   uint64
	last    bool // of BDAT
	dot     int  // state of the search for the end, see smtp.content
	header  header
	reply   bool // the reply to the message that was kept last is due
	lines   [2][]byte
}

func (x *smtp) client(p []byte) bool {
	for len(p) > 0 {
		switch {
		case x.reading:
			p = p[x.content(p):]
		case x.chunk > 0:
			n := int(min(x.chunk, uint64(len(p))))
			x.header.add(p[:n])
			x.chunk -= uint64(n)
			p = p[n:]
			if x.chunk == 0 && x.last {
				x.sent()
			}
		default:
			line, rest, ok := x.line(proto.ClientToOrigin, p)
			if !ok {
				return true
			}
			x.command(line)
			p = rest
		}
	}
	return true
}

func (x *smtp) origin(p []byte) bool {
	for len(p) > 0 {
		line, rest, ok := x.line(proto.OriginToClient, p)
		if !ok {
			return true
		}
		x.replied(line)
		p = rest
	}
	return true
}

// line returns the next line, the first octets of a long one, and what is behind
// it; false as long as it is not whole.
func (x *smtp) line(dir proto.Direction, p []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(p, '\n')
	held := x.lines[dir]
	if i >= 0 && len(held) == 0 {
		return p[:min(i+1, maxLine)], p[i+1:], true
	}
	n := i + 1
	if i < 0 {
		n = len(p)
	}
	held = append(held, p[:min(n, maxLine-len(held))]...)
	if i < 0 {
		x.lines[dir] = held
		return nil, nil, false
	}
	x.lines[dir] = nil
	return held, p[n:], true
}

func (x *smtp) command(line []byte) {
	line = bytes.TrimSpace(line)
	verb, argument, _ := bytes.Cut(line, []byte{' '})
	switch {
	case is(verb, "MAIL"):
		x.mail, x.open = Mail{}, true
		x.header = header{}
		x.mail.From = address(argument)
	case is(verb, "RCPT") && x.open && len(x.mail.To) < maxRecipients:
		x.mail.To = append(x.mail.To, address(argument))
	case is(verb, "DATA"):
		x.waiting = true
		return
	case is(verb, "BDAT") && x.open:
		size, end, _ := bytes.Cut(argument, []byte{' '})
		n, err := strconv.ParseUint(string(size), 10, 63)
		if err != nil {
			return
		}
		x.chunk, x.last = n, is(bytes.TrimSpace(end), "LAST")
		if n == 0 && x.last {
			x.sent()
		}
	case is(verb, "RSET"), is(verb, "EHLO"), is(verb, "HELO"):
		x.mail, x.open = Mail{}, false
	}
	x.waiting = false // who was refused DATA goes on with commands
}

func (x *smtp) replied(line []byte) {
	if len(line) < 4 || line[3] == '-' {
		return
	}
	code, err := strconv.ParseUint(string(line[:3]), 10, 10)
	switch {
	case err != nil:
	case code == 354 && x.waiting && x.open:
		x.waiting, x.reading, x.dot = false, true, 2
	case x.reply:
		x.reply = false
		x.s.report.Mail[len(x.s.report.Mail)-1].Reply = int(code)
	}
}

var ending = []byte("\r\n.\r\n")

// content passes over a message and returns how many octets of p belong to it.
// dot is how many octets of [ending] were seen last; a line begins at 2.
func (x *smtp) content(p []byte) int {
	n := 0
	for n < len(p) {
		if x.dot == 0 {
			if i := bytes.Index(p[n:], ending); i >= 0 {
				n, x.dot = n+i+1, 1
				continue
			}
			for x.dot = len(ending) - 1; x.dot > 0 && !bytes.HasSuffix(p[n:], ending[:x.dot]); x.dot-- {
			}
			n = len(p)
			break
		}
		switch c := p[n]; {
		case c == ending[x.dot]:
			x.dot++
		case c == '\r':
			x.dot = 1
		default:
			x.dot = 0
		}
		n++
		if x.dot == len(ending) {
			x.header.add(p[:n])
			x.reading, x.dot = false, 0
			x.sent()
			return n
		}
	}
	x.header.add(p[:n])
	return n
}

// sent takes the message under way for complete.
func (x *smtp) sent() {
	x.mail.Subject, x.mail.MessageID = x.header.facts()
	x.header = header{}
	x.s.report.MailTotal++
	x.reply = false
	if len(x.s.report.Mail) < maxKept {
		if x.mail.To == nil {
			x.mail.To = []string{}
		}
		x.s.report.Mail = append(x.s.report.Mail, x.mail)
		x.reply = true
	}
	x.mail, x.open, x.last = Mail{}, false, false
}

// close forgets what is not complete.
func (x *smtp) close() { x.lines, x.header = [2][]byte{}, header{} }

// address returns the address in the argument of MAIL or RCPT.
func address(argument []byte) string {
	_, a, ok := bytes.Cut(argument, []byte{':'})
	if !ok {
		return ""
	}
	a = bytes.TrimSpace(a)
	if len(a) > 0 && a[0] == '<' {
		a, _, _ = bytes.Cut(a[1:], []byte{'>'})
	} else {
		a, _, _ = bytes.Cut(a, []byte{' '})
	}
	return clip(string(a), maxAddress)
}
