package smtp

import "github.com/clearspan/clearspan/decrypt/proto/line"

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

// Keyword returns the keyword of a line of the reply to EHLO, in the case in which it
// came, and its parameters. The first line of that reply has none: it names the server.
func (r Reply) Keyword() (keyword, parameters []byte) {
	c := parseCommand(r.Text)
	return c.Word, c.Argument
}
