// Package pop3 reads the syntax of POP3 (RFC 1939) with CAPA and pipelining (RFC 2449),
// STLS (RFC 2595), AUTH (RFC 5034) and LANG (RFC 6856). It does no input and output,
// starts no goroutine and keeps no content.
//
//   - [ParseCommand] reads a command line, [ParseReply] the first line of a reply.
//   - [Dialogue] knows which reply answers which command, which replies have several
//     lines, and what the client sends next.
//   - [Watch] puts these together for a reader that sees both directions.
//
// # Replies with several lines
//
// Their lines end as content of SMTP does: only CRLF, a dot and CRLF end them (Section 3),
// and a dot at the beginning of a line is one of transparency. [smtp.Content] reads both.
// Some clients take a dot between bare line ends for the end, [smtp.Content.Ambiguous]
// reports it.
//
// # Strict and Loose
//
// A reader that stands between client and server is [Strict]: it refuses what servers
// read in different ways. A reader that only watches is [Loose]. Both get the same verb
// and argument of a line that both read.
package pop3

// Strictness says what becomes of forms that RFC 1939 forbids.
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

// Faults of commands and replies.
const (
	ErrControl     Fault = "control character in a command"
	ErrVerb        Fault = "command does not begin with a word of letters and digits"
	ErrReply       Fault = "reply is malformed"
	ErrUnasked     Fault = "reply to no command"
	ErrOutstanding Fault = "too many commands without a reply"
)
