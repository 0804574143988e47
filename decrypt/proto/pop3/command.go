package pop3

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Verb says which command a line is.
type Verb uint8

// Verbs that a reader may have to tell apart.
const (
	Other Verb = iota // any other command
	USER
	PASS
	APOP
	AUTH
	STLS
	CAPA
	LANG
	LIST
	UIDL
	RETR
	TOP
	QUIT

	None     // no command is outstanding
	Greeting // no command, but answered by a reply
)

var verbs = [...]string{
	Other: "other", USER: "USER", PASS: "PASS", APOP: "APOP", AUTH: "AUTH", STLS: "STLS", CAPA: "CAPA", LANG: "LANG", LIST: "LIST",
	UIDL: "UIDL", RETR: "RETR", TOP: "TOP", QUIT: "QUIT", None: "none", Greeting: "greeting",
}

// String returns the word on the wire, or a word in lower case for what has none.
func (v Verb) String() string {
	if int(v) < len(verbs) {
		return verbs[v]
	}
	return "unknown"
}

// Command is a command line. Word and Argument refer to the line.
type Command struct {
	Verb     Verb
	Word     []byte // the first word as it came
	Argument []byte // what follows it, without blanks around
}

// CouldBe reports whether a line, perhaps incomplete, is a command with the verb, or
// could be when it goes on.
func CouldBe(text []byte, v Verb) bool { return line.CouldBe(text, verbs[v], line.Blanks) }

// ParseCommand reads a command line, with or without its end. It returns the command
// also with a fault: [ErrControl] or [ErrVerb], of a [Strict] reader only.
func ParseCommand(text []byte, s Strictness) (c Command, err error) {
	c.Word, c.Argument = line.Word(text, line.Blanks)
	for v := USER; v <= QUIT; v++ {
		if line.Is(c.Word, verbs[v]) {
			c.Verb = v
		}
	}
	if s == Loose {
		return c, nil
	}
	text = line.Trim(text)
	switch {
	case bytes.ContainsAny(text, "\r\n\x00"):
		return c, ErrControl
	case !isWord(c.Word) || !bytes.HasPrefix(text, c.Word) || len(text) > len(c.Word) && text[len(c.Word)] != ' ':
		return c, ErrVerb
	}
	return c, nil
}

// BeforeLogin reports whether a command may come before a login and says nothing of it.
func (c *Command) BeforeLogin() bool {
	switch c.Verb {
	case STLS, CAPA, LANG, QUIT:
		return true
	case AUTH:
		return len(c.Argument) == 0
	}
	return line.Is(c.Word, "UTF8") || line.Is(c.Word, "NOOP")
}

// maxWord is more than any command has, in octets.
const maxWord = 16

func isWord(word []byte) bool {
	for _, c := range word {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(word) > 0 && len(word) <= maxWord
}

// multiLine reports whether a positive reply to the command has several lines.
func (c *Command) multiLine() bool {
	switch c.Verb {
	case CAPA, RETR, TOP:
		return true
	case AUTH, LANG, LIST, UIDL:
		return len(c.Argument) == 0
	}
	return false
}

// Reply is the first line of a reply (RFC 1939, Section 3). Text refers to the line.
type Reply struct {
	Positive bool // +OK
	Continue bool // a challenge of AUTH (RFC 5034, Section 4)
	Text     []byte
}

// ParseReply reads the first line of a reply, with or without its end. ok is false for
// other lines.
func ParseReply(text []byte) (r Reply, ok bool) {
	word, rest := line.Word(text, line.Blanks)
	r = Reply{Positive: line.Is(word, "+OK"), Continue: string(word) == "+", Text: rest}
	return r, r.Positive || r.Continue || line.Is(word, "-ERR")
}
