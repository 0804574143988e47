package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// exportedMail has tshark read all mail from the recording, which must be what
// was sent.
func (c *scene) exportedMail(sent []string) {
	c.Helper()
	files, err := lab.ExportObjects(c.Ctx, c.Capture.File, "imf", c.Directory("imf"))
	if err != nil {
		c.Fatal(err)
	}
	times := make(map[string]int) // those fetched have more in their header
	for _, file := range files {
		got, err := os.ReadFile(file)
		if err != nil {
			c.Fatal(err)
		}
		times[strings.TrimRight(string(got), "\r\n")]++
	}
	for _, message := range sent {
		want := stuffed(strings.ReplaceAll(strings.TrimRight(message, "\n"), "\n", "\r\n"))
		if n := times[want]; n != 1 {
			c.Errorf("exported %d times among %d messages: %.400q", n, len(files), message)
		}
	}
	rows, err := lab.Fields(c.Ctx, c.Capture.File, "tls", "frame.number")
	if err != nil || len(rows) > 0 {
		c.Errorf("tshark sees TLS in %d frames, %v", len(rows), err)
	}
}

// stuffed returns a text with lines as SMTP and POP3 transmit them (RFC 5321,
// Section 4.5.2); tshark exports them so.
func stuffed(text string) string { return strings.ReplaceAll(text, "\r\n.", "\r\n..") }

// dialogues judges what the two mirrors show of every session: the port, the
// words of STARTTLS, and what was fetched.
func (c *scene) dialogues(recorded []mirrortest.Conversation, fetched map[ends]string) {
	c.Helper()
	var truth []mirrortest.Conversation
	files, _ := filepath.Glob(filepath.Join(c.Dir, "state", "truth", "*.pcapng"))
	for _, file := range files {
		truth = append(truth, c.ReadCapture(file, conformance.STARTTLS)...)
	}
	c.Account("truth", truth)
	shown := map[uint16]uint16{lab.SMTPSPort: lab.SMTPPort, lab.SubmissionPort: lab.SubmissionPort, lab.SMTPPort: lab.SMTPPort,
		lab.IMAPSPort: lab.IMAPPort, lab.IMAPPort: lab.IMAPPort, lab.POP3SPort: lab.POP3Port, lab.POP3Port: lab.POP3Port}
	type negotiation struct{ capability, command, reply string }
	smtp := negotiation{"250-STARTTLS\r\n", "STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n"}
	words := map[uint16]negotiation{
		lab.SMTPPort:       smtp,
		lab.SubmissionPort: smtp,
		lab.IMAPPort:       {" STARTTLS ", " STARTTLS\r\n", " OK Begin TLS negotiation now.\r\n"},
		lab.POP3Port:       {"STLS\r\n", "STLS\r\n", "+OK Begin TLS negotiation now.\r\n"},
	}
	kinds := make(map[string]int)
	for _, e := range c.Entries() {
		port := e.Origin.Port()
		kinds[fmt.Sprintf("%d %s %s", port, e.Protocol, e.Outcome)]++
		v := c.ConversationOf(recorded, e.Shown("recorder"))
		if v.Origin.Port() != shown[port] || e.Flow.Ports["recorder"] != shown[port] || v.Gaps[0] != nil || v.Gaps[1] != nil {
			c.Errorf("session to %d is shown on %d (%d in the entry), gaps %v", port, v.Origin.Port(), e.Flow.Ports["recorder"], v.Gaps)
		}
		text, ok := fetched[e.Ends()]
		if shown[port] == lab.POP3Port {
			text = stuffed(text)
		}
		if ok && !strings.Contains(string(v.Streams[1]), text) {
			c.Errorf("session to %d: the message fetched is not in the recording", port)
		}
		concealed := [2]string{string(v.Streams[0]), string(v.Streams[1])}
		if port == lab.SMTPPort || port == lab.SubmissionPort || port == lab.SMTPSPort {
			want := 1 // of EHLO, that in the mail's text aside
			if port != lab.SMTPSPort && e.Outcome == "bumped" {
				want = 2
			}
			commands, _, _ := strings.Cut(concealed[0], "DATA\r\n")
			if n := strings.Count(commands, "EHLO client.example\r\n"); n != want || !strings.HasPrefix(commands, "EHLO ") {
				c.Errorf("session to %d: %d EHLO, want %d:\n%s", port, n, want, commands)
			}
		}
		// Beside what is concealed, both mirrors show the same.
		full, m := c.ConversationOf(truth, e.Ends()), e.Mirror["recorder"]
		more := full.Octets[0] + full.Octets[1] - v.Octets[0] - v.Octets[1]
		w, offers := words[port]
		if m.Lost != more || offers != (more > 0) || offers != (m.Reason == "concealed") {
			c.Errorf("session to %d: %d octets lost (%s), the other mirror has %d more", port, m.Lost, m.Reason, more)
		}
		if !offers {
			continue
		}
		kept := [2]string{string(full.Streams[0]), string(full.Streams[1])}
		if strings.Contains(concealed[1], w.capability) || !strings.Contains(kept[1], w.capability) {
			c.Errorf("session to %d: %q is there and concealed:\n%.600s", port, w.capability, concealed[1])
		}
		asked := 0
		if e.Outcome == "bumped" {
			asked = 1
		}
		for dir, word := range []string{w.command, w.reply} {
			if n := strings.Count(kept[dir], word) - strings.Count(concealed[dir], word); n != asked {
				c.Errorf("session to %d: %q is concealed %d times, want %d:\n%.600s", port, word, n, asked, kept[dir])
			}
		}
	}
	c.inOrder(truth)
	want := map[string]int{
		"465 tls bumped": 1, "587 smtp bumped": 3, "25 smtp bumped": 1, "25 smtp plain": 1,
		"993 tls bumped": 1, "143 imap bumped": 2, "995 tls bumped": 1, "110 pop3 bumped": 1,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		c.Errorf("sessions (-want +got):\n%s", diff)
	}
}

// inOrder judges the dialogues that keep STARTTLS: the first capabilities, the
// word and its answer, the second capabilities.
func (c *scene) inOrder(truth []mirrortest.Conversation) {
	c.Helper()
	orders := map[uint16][2][]string{
		lab.SMTPPort:       {{"EHLO ", "STARTTLS\r\n", "EHLO ", "MAIL FROM"}, {"250-STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n", "250-PIPELINING\r\n"}},
		lab.SubmissionPort: {{"EHLO ", "STARTTLS\r\n", "EHLO ", "MAIL FROM"}, {"250-STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n", "250-PIPELINING\r\n"}},
		lab.IMAPPort:       {{" STARTTLS\r\n"}, {" STARTTLS ", " OK Begin TLS negotiation now.\r\n", " OK "}},
		lab.POP3Port:       {{"CAPA\r\n", "STLS\r\n", "CAPA\r\n"}, {"STLS\r\n", "+OK Begin TLS negotiation now.\r\n", "SASL "}},
	}
	for _, e := range c.Entries() {
		order, offers := orders[e.Origin.Port()]
		if !offers || e.Outcome != "bumped" {
			continue
		}
		v := c.ConversationOf(truth, e.Shown("recorder"))
		for dir, words := range order {
			rest := string(v.Streams[dir])
			for i, word := range words {
				var found bool
				if _, rest, found = strings.Cut(rest, word); !found {
					c.Errorf("session to %d, direction %d: %q is not behind %q", e.Origin.Port(), dir, word, words[:i])
					break
				}
			}
		}
	}
}
