package ftp

import "github.com/clearspan/clearspan/decrypt/proto/line"

// maxLine is how much of a line is kept: the longest that matters is an EPRT with an
// IPv6 address, or a 227 with a sentence around it.
const maxLine = 256

// Reply is a line that begins or ends a reply (RFC 959, Section 4.2).
type Reply struct {
	Code  int
	First bool
	Last  bool
	Text  []byte // behind the code; refers to the line
}

// Replies tells the replies of a server apart. The zero value stands before the first
// one. If it stands within a reply, set Within and Code.
type Replies struct {
	Within bool // a reply goes on,
	Code   int  // up to a line with this code and a space
}

// Next takes a line, with or without its end. ok is false for text within a reply,
// whatever it begins with, and for a line that is no reply.
func (r *Replies) Next(text []byte) (reply Reply, ok bool) {
	code, last, rest, ok := line.Code(text)
	if r.Within {
		ok = ok && last && code == r.Code
	}
	if !ok {
		return Reply{}, false
	}
	reply = Reply{Code: code, First: !r.Within, Last: last, Text: rest}
	r.Within, r.Code = !last, code
	return reply, true
}

// ParseCommand returns the verb of a command, in the case in which it came, and its
// argument. Both refer to the line. Compare the verb with [line.Is].
func ParseCommand(text []byte) (verb, argument []byte) { return line.Word(text, line.Blanks) }
