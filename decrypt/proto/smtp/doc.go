// Package smtp reads the syntax of SMTP (RFC 5321) with PIPELINING (RFC 2920),
// CHUNKING (RFC 3030), STARTTLS (RFC 3207) and AUTH (RFC 4954). It does no input and
// output, starts no goroutine and keeps no content.
//
//   - [ParseCommand] reads a command line, [ParsePath] the argument of MAIL and RCPT,
//     [ParseReply] a line of a reply.
//   - [Content] finds the end of the content after DATA, and its dots of transparency.
//   - [Dialogue] knows which reply answers which command, and what the client sends next.
//   - [Watch] puts these together for a reader that sees both directions.
//
// # Strict and Loose
//
// A reader that stands between client and server is [Strict]: it refuses what servers
// read in different ways. A reader that only watches is [Loose]: it reads what the most
// lenient server reads. Both get the same verb, argument and path of a line that both
// read.
//
// # Line ends
//
// One rule holds for commands and replies: LF ends a line, and a CR before it belongs
// to the end. A bare CR ends nothing. A Strict reader refuses a command with a bare CR.
//
// One rule holds for content after DATA: only CRLF, a dot and CRLF end it (RFC 5321,
// Sections 2.3.8 and 4.1.1.4). A line of content begins behind CRLF only. Some servers
// take other forms for the end (SMTP smuggling). [Content.Ambiguous] reports them, and
// [Dialogue.Reply] tells when a server has done so.
package smtp

// Strictness says what becomes of forms that RFC 5321 forbids.
type Strictness uint8

const (
	// Strict refuses them. It is for readers that stand between both ends.
	Strict Strictness = iota
	// Loose reads them like the most lenient server. It is for readers that only watch.
	Loose
)

// Fault is a form that a [Strict] reader refuses. It implements error.
type Fault string

// Error implements error.
func (f Fault) Error() string { return string(f) }

// Faults of commands and replies.
const (
	ErrControl     Fault = "control character in a command"
	ErrVerb        Fault = "command does not begin with a word of letters and digits"
	ErrLong        Fault = "command is too long"
	ErrReply       Fault = "reply is malformed"
	ErrCodeChange  Fault = "code changes within a reply"
	ErrUnasked     Fault = "content is asked for after a command that is not DATA"
	ErrSmuggled    Fault = "server ends content at a dot between bare CR or LF"
	ErrOutstanding Fault = "too many commands without a reply"
)
