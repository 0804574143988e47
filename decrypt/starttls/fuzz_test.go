package starttls

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

// checking is a dialogue that checks what its client says, as that of an engine does.
func checking(t testing.TB, p sniff.Protocol) *Dialogue {
	d := newDialogue(t, p)
	d.Check()
	return d
}

// FuzzDialogue plays turns, separated by octet 0 or, in protocols that have it, by
// "|||", whole and cut in pieces: the same octets are relayed and hidden, and the
// dialogue ends in the same state. The seeds in testdata are captures of real servers
// and clients.
func FuzzDialogue(f *testing.F) {
	f.Add(uint8(0), "220 a ESMTP\r\n\x00EHLO c\r\n\x00250-a\r\n250-STARTTLS\r\n250 CHUNKING\r\n\x00STARTTLS\r\n\x00220 go\r\n", uint8(3))
	f.Add(uint8(0), "220 a\r\n\x00EHLO c\r\n\x00250-a\r\n250 STARTTLS\r\n\x00DATA\r\n\x00354 go\r\n\x00STARTTLS\r\n.\r\nSTARTTLS\r\nx\x00250 ok\r\n", uint8(1))
	f.Add(uint8(0), "\x00AUTH LOGIN\r\nSTARTTLS\r\n\x00334 \r\n\x00\x00235 in\r\n\x00BDAT 4\r\nSTAR", uint8(2))
	f.Add(uint8(1), "* OK [CAPABILITY STARTTLS LOGINDISABLED] hi\r\n\x00a LOGIN {3}\r\nx\x00+ \r\na NO\r\n\x00b STARTTLS\r\n\x00b OK\r\n", uint8(5))
	f.Add(uint8(1), "* PREAUTH {3}\r\n\x00a AUTHENTICATE X {2+}\r\n\x00+\r\n* CAPABILITY starttls]x STARTTLS\r\n* X {4}\r\n", uint8(1))
	f.Add(uint8(2), "+OK\r\n\x00CAPA\r\nAUTH\r\nSTLS\r\n\x00+OK\r\nSTLS\r\n.\r\n-ERR\r\n+OK\r\nx", uint8(4))
	f.Add(uint8(3), "220 a\r\n\x00NOOP\r\nUSER a\r\n\x00200\r\n331\r\n", uint8(1))
	f.Add(uint8(3), "220 a\r\n\x00FEAT\r\n\x00211-\r\n AUTH TLS\r\n211 \r\n\x00AUTH TLS\r\n\x00234 \r\n", uint8(1))
	f.Add(uint8(4), "120 a\r\n220 b\r\n\x00AUTH SSL\r\n\x00534 no\r\n\x00LIST\r\n\x00150 a\r\n226-b\r\n234 c\r\n226 d\r\n", uint8(7))
	f.Add(uint8(5), "|||"+ldapBind+ldapStart+"|||"+ldapBound+ldapYes+"|||", uint8(2))
	f.Add(uint8(5), "|||"+ldapLong+"|||\x30\x84\x00\x00\x00\x0c\x02\x01\x05\x78\x07\x0a\x01\x34\x04\x00\x04\x00|||"+ldapUnbind, uint8(9))
	f.Add(uint8(6), "|||"+xmppClient[3:]+"|||"+xmppOrigin[3:]+xmppFeatures[3:]+"|||"+xmppAsk+"|||"+xmppProceed, uint8(30))
	f.Add(uint8(6), "|||<a><!-- > --><b c='>'/><![CDATA[]]>]]></a><starttls></starttls>|||<features/><failure/><success/>", uint8(0))
	f.Add(uint8(7), "|||"+gss+ssl+"|||N|||"+ssl+"|||S", uint8(5))
	f.Add(uint8(7), "|||"+ssl+"|||N|||"+startup+"|||E", uint8(0))
	f.Add(uint8(8), "\x4f\x00\x00\x00"+mariadb+"|||"+mysqlSSL+hello, uint8(3))
	f.Add(uint8(8), "\x09\x00\x00\x00\xff\x69\x04denied|||"+mysqlLogin, uint8(3))
	protocols := []sniff.Protocol{sniff.SMTP, sniff.IMAP, sniff.POP3, sniff.Greeting220,
		sniff.FTP, sniff.LDAP, sniff.XMPP, sniff.PostgreSQL, sniff.MySQL}
	f.Fuzz(func(t *testing.T, protocol uint8, text string, size uint8) {
		if len(text) > 20_000 {
			return // the replay copies what is held, again and again
		}
		p := protocols[int(protocol)%len(protocols)]
		separator := "\x00"
		if p >= sniff.MySQL {
			separator = "|||"
		}
		var turns []turn
		origin := true
		for octets := range strings.SplitSeq(text, separator) {
			turns = append(turns, turn{origin, octets})
			origin = !origin
		}
		a := play(t, checking(t, p), turns, whole)
		b := play(t, checking(t, p), turns, func(n int) int { return min(n, 1+int(size)) })
		if a.state == Violation && b.state == Upgraded {
			return // what came behind the reply was not in the same read
		}
		if a.state != b.state || a.relayed != b.relayed || a.visible != b.visible || a.d.Offered() != b.d.Offered() {
			t.Fatalf("at once:\n%v\nin pieces of %d:\n%v", a, 1+int(size), b)
		}
	})
}
