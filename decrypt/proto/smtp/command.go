package smtp

import (
	"bytes"
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Verb says which command a line is.
type Verb uint8

// Verbs that a reader may have to tell apart.
const (
	Other Verb = iota // any other command
	EHLO
	HELO
	LHLO
	MAIL
	RCPT
	DATA
	BDAT
	RSET
	AUTH
	STARTTLS
	NOOP
	HELP
	VRFY
	EXPN
	ETRN
	QUIT
	BURL     // RFC 4468
	XEXCH50  // content of Exchange
	XCLIENT  // of Postfix
	XFORWARD // of Postfix

	None     // no command is outstanding
	Greeting // no command, but answered by a reply
	Message  // the end of content: after DATA, or a BDAT with the last chunk
)

var verbs = [...]string{
	Other: "other", EHLO: "EHLO", HELO: "HELO", LHLO: "LHLO", MAIL: "MAIL", RCPT: "RCPT", DATA: "DATA", BDAT: "BDAT",
	RSET: "RSET", AUTH: "AUTH", STARTTLS: "STARTTLS", NOOP: "NOOP", HELP: "HELP", VRFY: "VRFY", EXPN: "EXPN", ETRN: "ETRN",
	QUIT: "QUIT", BURL: "BURL", XEXCH50: "XEXCH50", XCLIENT: "XCLIENT", XFORWARD: "XFORWARD",
	None: "none", Greeting: "greeting", Message: "message",
}

// String returns the word on the wire, or a word in lower case for what has none.
func (v Verb) String() string {
	if int(v) < len(verbs) {
		return verbs[v]
	}
	return "unknown"
}

// verbOf returns the verb of a word in any case.
func verbOf(word []byte) Verb {
	for v := EHLO; v <= XFORWARD; v++ {
		if line.Is(word, verbs[v]) {
			return v
		}
	}
	return Other
}

// Command is a command line. Word and Argument refer to the line.
type Command struct {
	Verb     Verb
	Word     []byte // the first word as it came
	Argument []byte // what follows it, without blanks around
}

// Blanks separate words, where C does so. A strict reader refuses all but the first
// two. NUL ends a line of servers that are written in C.
const Blanks = " \t\v\f\r\n"

// maxCommand is the longest line of a command that a Strict reader takes, in octets. It
// is more than all extensions need, but AUTH (RFC 5321, Section 4.5.3.1.4). Servers cut
// longer lines, or take the rest for another command.
const maxCommand = 2000

// ParseCommand reads a command line, with or without its end. It returns the command
// also with a fault: [ErrControl], [ErrVerb] or [ErrLong], of a [Strict] reader only.
//
// Both readers skip blanks before the verb. Postfix does so, against RFC 5321, Section
// 4.1.1.
func ParseCommand(text []byte, s Strictness) (Command, error) {
	if s == Strict {
		if text = line.Trim(text); bytes.ContainsAny(text, "\r\n\x00") {
			return parseCommand(text), ErrControl
		}
	}
	c := parseCommand(text)
	switch {
	case s == Loose:
	case !isWord(c.Word, text):
		return c, ErrVerb
	case len(text) > maxCommand && c.Verb != AUTH:
		return c, ErrLong
	}
	return c, nil
}

// parseCommand reads what a lenient server reads.
func parseCommand(text []byte) (c Command) {
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	c.Word, c.Argument = line.Word(text, Blanks)
	c.Verb = verbOf(c.Word)
	return c
}

// maxWord is more than any command has, in octets.
const maxWord = 16

// isWord reports whether the first word of text can be a command: letters and digits
// between spaces or tabs.
func isWord(word, text []byte) bool {
	text = bytes.TrimLeft(text, " \t")
	if len(word) == 0 || len(word) > maxWord || !bytes.HasPrefix(text, word) {
		return false
	}
	if rest := text[len(word):]; len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' {
		return false
	}
	for _, c := range word {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// CouldBe reports whether a line, perhaps incomplete, is a command with the verb to
// the most lenient server, or could be when it goes on.
func CouldBe(text []byte, v Verb) bool {
	if end := bytes.IndexByte(text, 0); end >= 0 {
		return parseCommand(text).Verb == v
	}
	return line.CouldBe(text, verbs[v], Blanks)
}

// Chunk returns the number of octets of content that follow a BDAT command, and
// whether the content ends with them (RFC 3030, Section 2). ok is false if the argument
// is malformed; servers then read no content.
func (c Command) Chunk() (size int64, last, ok bool) {
	argument := parseCommand(c.Argument)
	n, err := strconv.ParseUint(string(argument.Word), 10, 62)
	last = len(argument.Argument) > 0
	if err != nil || last && !line.Is(argument.Argument, "LAST") {
		return 0, false, false
	}
	return int64(n), last, true
}
