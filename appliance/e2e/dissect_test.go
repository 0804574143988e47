package e2e

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/hack/lab"
)

// dissected has tshark read the mail sessions of the recording, and wants those
// that turned to TLS to look as if they never had: greeting, capabilities, and
// capabilities again, each asked for and answered, with what follows behind.
func (c *scene) dissected() {
	c.Helper()
	words := c.mailWords()
	want := map[uint16][]string{
		lab.SMTPPort:       {"220", "EHLO", "250", "EHLO", "250", "MAIL", "250", "RCPT", "250", "DATA", "354"},
		lab.SubmissionPort: {"220", "EHLO", "250", "EHLO", "250", "MAIL", "250", "RCPT", "250", "DATA", "354"},
		lab.IMAPPort:       {"CAPABILITY", "OK", "CAPABILITY", "OK"}, // the greeting has no status for tshark
		lab.POP3Port:       {"+OK", "CAPA", "+OK", "CAPA", "+OK"},
	}
	behind := map[uint16][]string{lab.IMAPPort: {"AUTHENTICATE", "LOGIN"}, lab.POP3Port: {"AUTH", "USER", "APOP"}}
	seen := make(map[uint16]int)
	for _, e := range c.Entries() {
		begin, upgrades := want[e.Origin.Port()]
		if !upgrades || e.Outcome != "bumped" {
			continue
		}
		got := words[e.Shown("recorder")]
		if e.Origin.Port() == lab.IMAPPort && len(got) > 2 && got[2] == "LOGIN" {
			begin = begin[:2] // openssl does not ask again behind STARTTLS
		}
		if len(got) < len(begin) || !slices.Equal(got[:len(begin)], begin) {
			c.Errorf("session to %d: tshark reads %q, want it to begin with %q", e.Origin.Port(), got, begin)
			continue
		}
		rest := got[len(begin):]
		if next := behind[e.Origin.Port()]; next != nil && (len(rest) == 0 || !slices.Contains(next, rest[0])) {
			c.Errorf("session to %d: %q follows, want one of %q", e.Origin.Port(), rest, next)
		}
		seen[e.Origin.Port()]++
	}
	for port := range want {
		if seen[port] == 0 {
			c.Errorf("no session to %d that turned to TLS", port)
		}
	}
}

// mailWords returns the commands and the codes of answers that tshark reads in
// the recording, in the order of frames, by conversation.
func (c *scene) mailWords() map[ends][]string {
	c.Helper()
	rows, err := lab.Fields(c.Ctx, c.Capture.File, "smtp || imap || pop", "tcp.srcport", "tcp.dstport",
		"smtp.req.command", "smtp.response.code", "imap.request.command", "imap.response.status",
		"pop.request.command", "pop.response.indicator")
	if err != nil {
		c.Fatal(err)
	}
	words := make(map[ends][]string)
	for _, row := range rows {
		from, to := row[1], row[0]
		if row[2]+row[4]+row[6] != "" {
			from, to = to, from
		}
		var port ends
		if _, err := fmt.Sscan(from+" "+to, &port.Client, &port.Origin); err != nil {
			c.Fatalf("ports in %q: %v", row, err)
		}
		for _, field := range row[2:] {
			for word := range strings.SplitSeq(field, ",") {
				if word != "" {
					words[port] = append(words[port], strings.ToUpper(word))
				}
			}
		}
	}
	for port, list := range words {
		words[port] = slices.Compact(list) // lines of one answer have the same code
	}
	return words
}
