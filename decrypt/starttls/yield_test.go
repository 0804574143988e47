package starttls

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
	"github.com/clearspan/clearspan/decrypt/proto/smtp"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// yielding is a dialogue that yields.
func yielding(t testing.TB, p sniff.Protocol) *Dialogue {
	d := newDialogue(t, p)
	d.Yield()
	return d
}

func TestYield(t *testing.T) {
	const greeted = "O: 220 mail.a.test ESMTP\nC: EHLO client.test\nO: 250-mail.a.test\nO< 250 STARTTLS\n"
	cutters := []cutter{whole, single, func(n int) int { return min(n, 3) }}
	for _, tt := range []struct {
		name, dialogue string
		protocol       sniff.Protocol
		state          State
		pending        string
	}{
		{"mail without TLS", greeted + "C: MAIL FROM:<a@a.test>", sniff.SMTP, Plain, "MAIL FROM:<a@a.test>\r\n"},
		{"in any case, behind blanks", greeted + "C:  \tmail FROM:<a@a.test>", sniff.SMTP, Plain, " \tmail FROM:<a@a.test>\r\n"},
		{"another word for it", greeted + "C: SOML FROM:<a@a.test>", sniff.SMTP, Plain, "SOML FROM:<a@a.test>\r\n"},
		{"behind a bare CR", greeted + "C: NOOP\rMAIL FROM:<a@a.test>", sniff.SMTP, Plain, "NOOP\rMAIL FROM:<a@a.test>\r\n"},
		{"incomplete", greeted + "C: MAIL FROM:\\", sniff.SMTP, Following, "MAIL FROM:"},
		{"TLS all the same", greeted + "C: NOOP\nO: 250 ok\nC: STARTTLS\nO: 220 go", sniff.SMTP, Upgraded, ""},
		{"refused, then mail", greeted + "C: STARTTLS\nO: 454 no\nC: MAIL FROM:<a@a.test>", sniff.SMTP, Plain, "MAIL FROM:<a@a.test>\r\n"},
		{"authenticated before", greeted + "C: AUTH LOGIN\nO: 334 \nC: MAIL\nO: 334 \nC: eA==\nO: 235 in\nC: MAIL FROM:<a@a.test>", sniff.SMTP, Plain, "MAIL FROM:<a@a.test>\r\n"},
		{"before EHLO is answered", "O: 220 a ESMTP\nC: EHLO c\nC< MAIL FROM:<a@a.test>", sniff.SMTP, Requested, "MAIL FROM:<a@a.test>\r\n"},
		{"and behind its answer", "O: 220 a ESMTP\nC: EHLO c\nC< MAIL FROM:<a@a.test>\nO: 250-a\nO< 250 b", sniff.SMTP, Plain, "MAIL FROM:<a@a.test>\r\n"},
		{"before the greeting", "C: MAIL FROM:<a@a.test>", sniff.SMTP, Requested, "MAIL FROM:<a@a.test>\r\n"},
		{"a greeting that says little", "O: 220 hi\nC: HELO c\nO: 250 a\nC: MAIL FROM:<a@a.test>", sniff.Greeting220, Plain, "MAIL FROM:<a@a.test>\r\n"},
		{"and a command between odd blanks", "O: 220 hi\nC: NOOP\nO: 250 a\nC: ␋MAIL␋FROM:<a@a.test>", sniff.Greeting220, Plain, "\vMAIL\vFROM:<a@a.test>\r\n"},
		{"FTP", "O: 220 hi\nC: USER a\nO: 331 and\nC: PASS b\nO: 230 in\nC: MAIL", sniff.Greeting220, Following, ""},
		{"more commands than are followed", greeted + "C: NOOP\n" + strings.Repeat("C< NOOP\n", pipeline.Max), sniff.SMTP, Requested, "NOOP\r\n"},
		{"IMAP", "O: * OK hi\nC: a CAPABILITY\nO: * CAPABILITY IMAP4rev1\nO< a OK\nC: b LOGIN x y", sniff.IMAP, Plain, "b LOGIN x y\r\n"},
		{"IMAP, any other command", "O: * OK hi\nC: b SELECT x", sniff.IMAP, Plain, "b SELECT x\r\n"},
		{"IMAP, malformed", "O: * OK hi\nC: b  CAPABILITY", sniff.IMAP, Plain, "b  CAPABILITY\r\n"},
		{"IMAP, with a literal", "O: * OK hi\nC: b ID {3}", sniff.IMAP, Plain, "b ID {3}\r\n"},
		{"IMAP, a capability is outstanding", "O: * OK hi\nC: a CAPABILITY\nC< b LOGIN x y", sniff.IMAP, Plain, "b LOGIN x y\r\n"},
		{"IMAP, within a response", "O: * OK hi\nC: a CAPABILITY\nO: * LIST () x {5}\nC: b LOGIN x y", sniff.IMAP, Requested, "b LOGIN x y\r\n"},
		{"IMAP, behind it", "O: * OK hi\nC: a CAPABILITY\nO: * LIST () x {5}\nC: b LOGIN x y\nO: abc\nO: ", sniff.IMAP, Plain, "b LOGIN x y\r\n"},
		{"IMAP that needs no login", "O: * PREAUTH hi\nC: a FETCH 1 BODY[]", sniff.IMAP, Plain, "a FETCH 1 BODY[]\r\n"},
		{"IMAP that needs no login, behind a capability", "O: * PREAUTH hi\nC: a CAPABILITY\nO: a OK\nC: b SELECT x", sniff.IMAP, Plain, "b SELECT x\r\n"},
		{"IMAP with TLS", "O: * OK hi\nC: a STARTTLS\nO: a OK", sniff.IMAP, Upgraded, ""},
		{"POP3", "O: +OK hi\nC: CAPA\nO: +OK\nO: STLS\nO: .\nC: USER x", sniff.POP3, Plain, "USER x\r\n"},
		{"POP3, before an answer", "O: +OK hi\nC: CAPA\nC< RETR 1", sniff.POP3, Requested, "RETR 1\r\n"},
		{"POP3, behind it", "O: +OK hi\nC: CAPA\nC< RETR 1\nO: +OK\nO: x\nO: .", sniff.POP3, Plain, "RETR 1\r\n"},
		{"POP3 with TLS", "O: +OK hi\nC: STLS\nO: +OK", sniff.POP3, Upgraded, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range cutters {
				r := play(t, yielding(t, tt.protocol), script(tt.dialogue), cut)
				if r.state != tt.state || r.pending[0] != tt.pending {
					t.Errorf("want %v, pending %q:\n%.2000v", tt.state, tt.pending, r)
				}
			}
		})
	}
}

// Behind Plain the dialogue can go on as if nothing had been.
func TestResume(t *testing.T) {
	r := play(t, yielding(t, sniff.SMTP), script("O: 220 a ESMTP\nC: HELO c\nO: 250 a\nC: MAIL FROM:<a@a.test>"), whole)
	if r.state != Plain {
		t.Fatal(r)
	}
	r.d.Resume()
	r.state = Following
	r.feed(false, "")
	if r.state != Following || r.pending[0] != "" || !strings.HasSuffix(r.relayed[0], "MAIL FROM:<a@a.test>\r\n") {
		t.Error(r)
	}
}

// Nor does anything wait any more that only waited for that.
func TestResumeDetained(t *testing.T) {
	r := play(t, yielding(t, sniff.SMTP), script("O: 220 a ESMTP\nC: EHLO c\nC< MAIL FROM:<a@a.test>"), whole)
	if r.state != Requested {
		t.Fatal(r)
	}
	r.d.Resume()
	if r.feed(false, ""); r.state != Following || r.pending[0] != "" {
		t.Error(r)
	}
}

// FuzzYield plays turns, separated by octet 0, whole and in pieces: no command that
// could begin a mail is passed, and the pieces make no difference.
func FuzzYield(f *testing.F) {
	f.Add("220 a ESMTP\r\n\x00EHLO c\r\nMAIL FROM:<>\r\n\x00250-a\r\n250 STARTTLS\r\n\x00", uint8(1))
	f.Add("220 a\r\n\x00HELO c\r\n\x00250 a\r\n\x00 mail x\r\n", uint8(2))
	f.Add("220 a ESMTP\r\n\x00AUTH X\r\nNOOP\rMAIL\r\n\x00334\r\n\x00MAIL\r\n\x00235 a\r\n\x00BDAT 4 LAST\r\nxxxx", uint8(5))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		if len(text) > 20_000 {
			return
		}
		var turns []turn
		origin := true
		for octets := range strings.SplitSeq(text, "\x00") {
			turns = append(turns, turn{origin, octets})
			origin = !origin
		}
		checked := func() *Dialogue {
			d := yielding(t, sniff.SMTP)
			d.Check()
			return d
		}
		a := play(t, checked(), turns, whole)
		b := play(t, checked(), turns, func(n int) int { return min(n, 1+int(size)) })
		if a.state == Violation && b.state == Upgraded {
			return
		}
		if a.state == Done || b.state == Done {
			t.Fatalf("a dialogue that yields is left to itself:\n%v\n%v", a, b)
		}
		if a.state != b.state || a.relayed[0] != b.relayed[0] {
			t.Fatalf("at once:\n%v\nin pieces of %d:\n%v", a, 1+int(size), b)
		}
		if strings.Contains(text, "334") {
			return // what answers a challenge may look like anything
		}
		for line := range strings.SplitSeq(a.relayed[0], "\n") {
			if c, _ := smtp.ParseCommand([]byte(line), smtp.Loose); c.Verb == smtp.MAIL {
				t.Fatalf("a command was passed:\n%v", a)
			}
		}
	})
}
