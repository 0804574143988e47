package starttls

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

// FuzzDialogue plays turns, separated by octet 0, whole and cut in pieces: the
// same octets are relayed and hidden, and the dialogue ends in the same state.
func FuzzDialogue(f *testing.F) {
	f.Add(uint8(0), "220 a ESMTP\r\n\x00EHLO c\r\n\x00250-a\r\n250-STARTTLS\r\n250 CHUNKING\r\n\x00STARTTLS\r\n\x00220 go\r\n", uint8(3))
	f.Add(uint8(0), "220 a\r\n\x00EHLO c\r\n\x00250-a\r\n250 STARTTLS\r\n\x00DATA\r\n\x00354 go\r\n\x00STARTTLS\r\n.\r\nSTARTTLS\r\nx\x00250 ok\r\n", uint8(1))
	f.Add(uint8(0), "\x00AUTH LOGIN\r\nSTARTTLS\r\n\x00334 \r\n\x00\x00235 in\r\n\x00BDAT 4\r\nSTAR", uint8(2))
	f.Add(uint8(1), "* OK [CAPABILITY STARTTLS LOGINDISABLED] hi\r\n\x00a LOGIN {3}\r\nx\x00+ \r\na NO\r\n\x00b STARTTLS\r\n\x00b OK\r\n", uint8(5))
	f.Add(uint8(1), "* PREAUTH {3}\r\n\x00a AUTHENTICATE X {2+}\r\n\x00+\r\n* CAPABILITY starttls]x STARTTLS\r\n* X {4}\r\n", uint8(1))
	f.Add(uint8(2), "+OK\r\n\x00CAPA\r\nAUTH\r\nSTLS\r\n\x00+OK\r\nSTLS\r\n.\r\n-ERR\r\n+OK\r\nx", uint8(4))
	f.Add(uint8(3), "220 a\r\n\x00NOOP\r\nUSER a\r\n\x00200\r\n331\r\n", uint8(1))
	protocols := []sniff.Protocol{sniff.SMTP, sniff.IMAP, sniff.POP3, sniff.Greeting220}
	f.Fuzz(func(t *testing.T, protocol uint8, text string, size uint8) {
		var turns []turn
		from, origin := 0, true
		for i := range len(text) + 1 {
			if i == len(text) || text[i] == 0 {
				turns = append(turns, turn{origin, text[from:i]})
				from, origin = i+1, !origin
			}
		}
		p := protocols[int(protocol)%len(protocols)]
		a := play(t, newDialogue(t, p), turns, whole)
		b := play(t, newDialogue(t, p), turns, func(n int) int { return min(n, 1+int(size)) })
		if a.state == Violation && b.state == Upgraded {
			return // what came behind the reply was not in the same read
		}
		if a.state != b.state || a.relayed != b.relayed || a.visible != b.visible || a.d.Offered() != b.d.Offered() {
			t.Fatalf("at once:\n%v\nin pieces of %d:\n%v", a, 1+int(size), b)
		}
	})
}
