package imap

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Verb says which command a line is.
type Verb uint8

// Verbs that a reader may have to tell apart.
const (
	Other Verb = iota // any other command
	LOGIN
	AUTHENTICATE
	STARTTLS
	CAPABILITY
	FETCH
	APPEND
	REPLACE // RFC 8508
	IDLE
	COMPRESS // RFC 4978
	LOGOUT

	None // no command is outstanding
)

var verbs = [...]string{
	Other: "other", LOGIN: "LOGIN", AUTHENTICATE: "AUTHENTICATE", STARTTLS: "STARTTLS", CAPABILITY: "CAPABILITY", FETCH: "FETCH",
	APPEND: "APPEND", REPLACE: "REPLACE", IDLE: "IDLE", COMPRESS: "COMPRESS", LOGOUT: "LOGOUT", None: "none",
}

// String returns the word on the wire, or a word in lower case for what has none.
func (v Verb) String() string {
	if int(v) < len(verbs) {
		return verbs[v]
	}
	return "unknown"
}

func verbOf(word []byte) Verb {
	for v := LOGIN; v <= LOGOUT; v++ {
		if line.Is(word, verbs[v]) {
			return v
		}
	}
	return Other
}

// CouldBe reports whether text, which is what stands behind a tag and is perhaps
// incomplete, begins with the verb, or could when it goes on.
func CouldBe(text []byte, v Verb) bool { return line.CouldBe(text, verbs[v], line.Blanks) }

// Command is the first line of a command. Its parts refer to the line.
type Command struct {
	Tag      []byte
	Verb     Verb
	Word     []byte // behind the tag, or behind UID
	UID      bool   // the word follows UID
	Argument []byte // what follows it, without blanks around
}

// ParseCommand reads the first line of a command, with or without its end. It returns
// the command also with a fault: [ErrControl], [ErrTag], [ErrQuote] or [ErrLiteral], of a
// [Strict] reader only.
func ParseCommand(text []byte, s Strictness) (c Command, err error) {
	var rest []byte
	c.Tag, rest = line.Word(text, line.Blanks)
	c.Word, c.Argument = line.Word(rest, line.Blanks)
	if line.Is(c.Word, "UID") && len(c.Argument) > 0 {
		c.UID = true
		c.Word, c.Argument = line.Word(c.Argument, line.Blanks)
	}
	c.Verb = verbOf(c.Word)
	if s == Strict {
		if err = CheckLine(text); err == nil && !c.proper(line.Trim(text)) {
			err = ErrTag
		}
	}
	return c, err
}

// CheckLine returns the fault of a line of the client for a [Strict] reader, be it the
// first of a command or one that goes on behind a literal. Dovecot takes an announcement
// for one wherever it stands in the line, and one without a number, too.
func CheckLine(text []byte) error {
	text = line.Trim(text)
	if bytes.ContainsAny(text, "\r\n\x00") {
		return ErrControl
	}
	if l, ok := ParseLiteral(text); ok {
		if !l.Proper(text) {
			return ErrLiteral
		}
		text = text[:l.At]
	}
	open, whole := braces(text)
	switch {
	case open:
		return ErrLiteral
	case !whole:
		return ErrQuote
	}
	return nil
}

// proper reports whether a line is a tag, one space, a word, perhaps with UID and one
// space before it, and nothing or a space.
func (c *Command) proper(text []byte) bool {
	for _, word := range [][]byte{c.Tag, c.Word} {
		if len(word) == 0 || len(word) > maxWord || bytes.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r >= 0x7f || bytes.ContainsRune([]byte(`(){%*"\+`), r) }) {
			return false
		}
	}
	rest, ok := bytes.CutPrefix(text, c.Tag)
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return false
	}
	if rest = rest[1:]; c.UID && len(rest) > len("UID ") && rest[3] == ' ' {
		rest = rest[len("UID "):]
	}
	rest, ok = bytes.CutPrefix(rest, c.Word)
	return ok && (len(rest) == 0 || rest[0] == ' ')
}

// BeforeLogin reports whether a command may come before a login and says nothing of it.
func (c *Command) BeforeLogin() bool {
	switch c.Verb {
	case STARTTLS, CAPABILITY, LOGOUT:
		return true
	}
	return line.Is(c.Word, "NOOP") || line.Is(c.Word, "ID") || line.Is(c.Word, "ENABLE")
}

// maxWord is more than any tag or command has, in octets.
const maxWord = 64

// Unquote returns the text of an atom or of a quoted string. It allocates if the string
// has backslashes.
func Unquote(word []byte) []byte {
	if len(word) < 2 || word[0] != '"' {
		return word
	}
	end := quotedEnd(word, 1)
	if end < 0 {
		return word[1:]
	}
	if word = word[1:end]; bytes.IndexByte(word, '\\') < 0 {
		return word
	}
	plain := make([]byte, 0, len(word))
	for i := 0; i < len(word); i++ {
		if word[i] == '\\' && i+1 < len(word) {
			i++
		}
		plain = append(plain, word[i])
	}
	return plain
}

// Target says of the first line of APPEND or REPLACE whether a literal at its end is the
// name of the mailbox, and whether literals are parts of a message (CATENATE, RFC 4469).
func (c *Command) Target() (mailbox, joined bool) {
	rest := c.Argument
	if c.Verb == REPLACE {
		_, rest = Argument(rest)
	}
	name, rest := Argument(rest)
	_, mailbox = ParseLiteral(name)
	return mailbox, Joins(rest)
}

// Joins reports whether a line of APPEND or REPLACE, or what follows the name of the
// mailbox in its first one, says that the literals behind it are parts of a message.
func Joins(text []byte) bool {
	for len(text) > 0 {
		var word []byte
		word, text = Argument(text)
		if line.Is(word, "CATENATE") {
			return true
		}
	}
	return false
}

// Argument returns the first atom, quoted string or parenthesised list of text, with its
// quotes or parentheses, and what follows it.
func Argument(text []byte) (first, rest []byte) {
	text = bytes.TrimLeft(text, line.Blanks)
	depth, i := 0, 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := quotedEnd(text, i+1)
			if end < 0 {
				return text, nil
			}
			i = end
		case '(':
			depth++
		case ')':
			depth--
		case ' ', '\t', '\r', '\n':
			if depth <= 0 {
				return text[:i], text[i:]
			}
		}
	}
	return text, nil
}
