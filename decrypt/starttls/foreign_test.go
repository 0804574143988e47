package starttls

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

// A line that may still be a request when it is longer than what is kept does not pass.
func TestForeignLong(t *testing.T) {
	for p, greeting := range map[sniff.Protocol]string{sniff.SMTP: "220 a ESMTP", sniff.IMAP: "* OK a", sniff.POP3: "+OK a"} {
		d := newDialogue(t, p)
		d.Check()
		line := "FROB /" + strings.Repeat("a", 2*maxLine)
		if r := play(t, d, []turn{{true, greeting + "\r\n"}, {false, line}}, whole); r.state != Foreign || r.relayed[0] != "" {
			t.Errorf("%v: %.300v", p, r)
		}
	}
}
