// Package imap reads the syntax of IMAP (RFC 9051, RFC 3501) with literals (RFC 7888,
// RFC 3516), IDLE (RFC 2177) and SASL-IR (RFC 4959). It does no input and output,
// starts no goroutine and keeps no content.
//
//   - [ParseCommand] and [ParseResponse] read the first line of a command and of a
//     response, [ParseLiteral] the announcement of a literal at the end of a line.
//   - [Fetch] walks through a FETCH response and names the item that a literal belongs
//     to. [Arguments] walks through the arguments of a command.
//   - [Dialogue] knows which response answers which command, and what the client sends
//     next.
//   - [Watch] puts these together for a reader that sees both directions.
//
// # Lines and literals
//
// A command or a response is a line, or several with literals between them. A line ends
// with LF, and a CR before it belongs to the end. A line that announces a literal is
// followed by that number of octets, and then goes on. Status responses and continuation
// requests end with text for people. Such text announces nothing, whatever it looks like.
//
// # Strict and Loose
//
// A reader that stands between client and server is [Strict]: it refuses what servers
// read in different ways. A reader that only watches is [Loose]. Both get the same words
// of a line that both read.
package imap

// Strictness says what becomes of forms that RFC 9051 forbids.
type Strictness uint8

const (
	// Strict refuses them. It is for readers that stand between both ends.
	Strict Strictness = iota
	// Loose reads them as far as they can be read. It is for readers that only watch.
	Loose
)

// Fault is a form that a reader refuses. It implements error.
type Fault string

// Error implements error.
func (f Fault) Error() string { return string(f) }

// Faults of commands and responses.
const (
	ErrControl     Fault = "control character in a line"
	ErrTag         Fault = "command does not begin with a tag and a word"
	ErrQuote       Fault = "quoted string does not end"
	ErrLiteral     Fault = "literal does not stand in the place of a string"
	ErrResponse    Fault = "response is malformed"
	ErrOutstanding Fault = "too many commands without a response"
	ErrTagInUse    Fault = "tag is that of a command without a response"
	ErrUnasked     Fault = "client is asked to go on, but has nothing to send"
)
