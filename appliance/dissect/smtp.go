package dissect

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto"
)

const maxLine = 2000 // octets of a command or reply that are looked at

// smtpReader follows SMTP (RFC 5321) with CHUNKING (RFC 3030).
type smtpReader struct {
	s       *Session
	message Exchange
	open    bool // an envelope is under way
	waiting bool // DATA was said
	reading bool // content comes, up to a line with a dot
	begun   bool // a message was begun
	chunk   uint64
	last    bool // of BDAT
	dot     int  // state of the search for the end, see content
	header  mailHeader
	due     uint64 // message whose reply is due
	lines   [2][]byte
}

func newSMTP(s *Session) *smtpReader { return &smtpReader{s: s} }

func (x *smtpReader) data(dir proto.Direction, p []byte) Cause {
	if dir == proto.ClientToOrigin {
		x.client(p)
	} else {
		x.origin(p)
	}
	return reading
}

func (x *smtpReader) client(p []byte) {
	for len(p) > 0 {
		switch {
		case x.reading:
			p = p[x.content(p):]
		case x.chunk > 0:
			n := int(min(x.chunk, uint64(len(p))))
			x.add(p[:n])
			x.chunk -= uint64(n)
			p = p[n:]
			if x.chunk == 0 && x.last {
				x.sent()
			}
		default:
			line, rest, ok := x.line(proto.ClientToOrigin, p)
			if !ok {
				return
			}
			x.command(line)
			p = rest
		}
	}
}

func (x *smtpReader) origin(p []byte) {
	for len(p) > 0 {
		line, rest, ok := x.line(proto.OriginToClient, p)
		if !ok {
			return
		}
		x.replied(line)
		p = rest
	}
}

// line returns the next line, the first octets of a long one, and what is behind
// it; false as long as it is not whole.
func (x *smtpReader) line(dir proto.Direction, p []byte) (line, rest []byte, ok bool) {
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

func is(b []byte, word string) bool { return len(b) == len(word) && strings.EqualFold(string(b), word) }

func (x *smtpReader) command(line []byte) {
	line = bytes.TrimSpace(line)
	verb, argument, _ := bytes.Cut(line, []byte{' '})
	switch {
	case is(verb, "MAIL"):
		x.drop(Cut)
		x.open = true
		x.s.event.sender = Sender{address(argument)}
		x.s.sink.Event(&x.s.event.sender)
	case is(verb, "RCPT") && x.open:
		x.s.event.recipient = Recipient{address(argument)}
		x.s.sink.Event(&x.s.event.recipient)
	case is(verb, "DATA"):
		x.waiting = true
		return
	case is(verb, "BDAT") && x.open:
		size, end, _ := bytes.Cut(argument, []byte{' '})
		n, err := strconv.ParseUint(string(size), 10, 63)
		if err != nil {
			return
		}
		x.begin()
		x.chunk, x.last = n, is(bytes.TrimSpace(end), "LAST")
		if n == 0 && x.last {
			x.sent()
		}
	case is(verb, "RSET"), is(verb, "EHLO"), is(verb, "HELO"):
		x.drop(Cut)
	}
	x.waiting = false // who was refused DATA goes on with commands
}

func (x *smtpReader) replied(line []byte) {
	if len(line) < 4 || line[3] == '-' {
		return
	}
	code, err := strconv.ParseUint(string(line[:3]), 10, 10)
	switch {
	case err != nil:
	case code == 354 && x.waiting && x.open:
		x.waiting, x.reading, x.dot = false, true, 2
		x.begin()
	case x.due != 0:
		x.s.event.reply = Reply{Number: x.due, Code: int(code)}
		x.due = 0
		x.s.sink.Event(&x.s.event.reply)
	}
}

// begin begins a message.
func (x *smtpReader) begin() {
	if x.begun {
		return
	}
	x.begun, x.header = true, mailHeader{}
	x.s.open(&x.message)
	x.s.event.message = Message{&x.message}
	x.s.sink.Event(&x.s.event.message)
}

// add takes content.
func (x *smtpReader) add(p []byte) {
	if len(p) == 0 {
		return
	}
	x.s.content(&x.message, proto.ClientToOrigin, p)
	if x.header.add(p) {
		x.tell()
	}
}

// tell tells of the header.
func (x *smtpReader) tell() {
	x.s.event.header = Header{Exchange: &x.message, Section: x.header.octets}
	x.s.sink.Event(&x.s.event.header)
	x.header.octets = nil
}

var ending = []byte("\r\n.\r\n")

// content passes over a message and returns how many octets of p belong to it.
// dot is how many octets of [ending] were seen last; a line begins at 2.
func (x *smtpReader) content(p []byte) int {
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
			x.add(p[:n])
			x.reading, x.dot = false, 0
			x.sent()
			return n
		}
	}
	x.add(p[:n])
	return n
}

// sent takes the message under way for complete.
func (x *smtpReader) sent() {
	x.due = x.message.Number
	x.drop(Complete)
}

// drop ends envelope and message.
func (x *smtpReader) drop(how Ending) {
	if x.begun {
		if !x.header.whole {
			x.tell()
		}
		x.s.end(&x.message, proto.ClientToOrigin, how)
	}
	x.open, x.begun, x.last, x.reading, x.chunk = false, false, false, false, 0
	x.header = mailHeader{}
}

func (x *smtpReader) gap(dir proto.Direction, n uint64) Cause { return StopGap }

func (x *smtpReader) end(proto.Direction) {}

func (x *smtpReader) close(how Ending) { x.drop(how) }

// address returns the address in the argument of MAIL or RCPT.
func address(argument []byte) []byte {
	_, a, ok := bytes.Cut(argument, []byte{':'})
	if !ok {
		return nil
	}
	a = bytes.TrimSpace(a)
	if len(a) > 0 && a[0] == '<' {
		a, _, _ = bytes.Cut(a[1:], []byte{'>'})
	} else {
		a, _, _ = bytes.Cut(a, []byte{' '})
	}
	return a
}
