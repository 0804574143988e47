package smtp

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Reply is one line of a reply (RFC 5321, Section 4.2). Text refers to the line.
type Reply struct {
	Code int    // 0 to 999
	Last bool   // no line of the reply follows
	Text []byte // behind the code and the sign that follows it
}

// ParseReply reads "250 text", "250-text" or "250", with or without the line's end. ok
// is false for other lines. FTP has the same form (RFC 959, Section 4.2).
func ParseReply(text []byte) (r Reply, ok bool) {
	r.Code, r.Last, r.Text, ok = line.Code(text)
	return r, ok
}

// Status returns the enhanced status code at the beginning of the text, such as 5.7.1,
// and the rest (RFC 2034, Section 4). ok is false without one.
func (r Reply) Status() (status, rest []byte, ok bool) {
	status, rest, _ = bytes.Cut(r.Text, []byte(" "))
	dots, digits := 0, 0
	for i, c := range status {
		switch {
		case c >= '0' && c <= '9' && digits < 3:
			digits++
		case c == '.' && digits > 0 && dots < 2 && (dots > 0 || i == 1):
			dots, digits = dots+1, 0
		default:
			return nil, r.Text, false
		}
	}
	if dots != 2 || digits == 0 || int(status[0]-'0') != r.Code/100 {
		return nil, r.Text, false
	}
	return status, rest, true
}

// Keyword returns the keyword of a line of the reply to EHLO, in the case in which it
// came, and its parameters. The first line of that reply has none: it names the server.
func (r Reply) Keyword() (keyword, parameters []byte) {
	c := parseCommand(r.Text)
	return c.Word, c.Argument
}
