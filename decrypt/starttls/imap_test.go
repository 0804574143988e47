package starttls

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

const dovecotIMAP = `
	O: * OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS LOGINDISABLED] Dovecot (Debian) ready.
`

func TestIMAP(t *testing.T) {
	announced := [2][]string{nil, {" STARTTLS", " LOGINDISABLED"}}
	upgraded := [2][]string{{"a2 STARTTLS\r\n"}, {" STARTTLS", " LOGINDISABLED", "a2 OK Begin TLS negotiation now.\r\n"}}
	tests := []scenario{
		{
			name: "dovecot, upgrade",
			dialogue: dovecotIMAP + `
				C: a1 NOOP
				O: a1 OK NOOP completed.
				C: a2 STARTTLS
				O: a2 OK Begin TLS negotiation now.`,
			state: Upgraded, offered: true, hidden: upgraded,
		},
		{
			name: "asked for, in several lists",
			dialogue: `
				O: * OK ready
				C: a1 CAPABILITY
				O: * CAPABILITY IMAP4rev1 starttls AUTH=PLAIN LOGINDISABLED
				O< a1 OK [CAPABILITY IMAP4rev1 StartTLS] done
				C: A2 starttls
				O: * BYE not yet
				O< A2 OK go`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"A2 starttls\r\n"}, {" starttls", " LOGINDISABLED", " StartTLS", "A2 OK go\r\n"}},
		},
		{
			name: "word alone, first and last",
			dialogue: `
				O: * CAPABILITY STARTTLS
				O< * OK [CAPABILITY STARTTLS X] hi
				O< * NO [CAPABILITY X] STARTTLS`,
			state: Following, offered: true,
			hidden: [2][]string{nil, {" STARTTLS", " STARTTLS"}},
		},
		{
			name: "words that only look alike",
			dialogue: `
				O: * CAPABILITY XSTARTTLS STARTTLSX AUTH=STARTTLS
				O< * OK STARTTLS
				O< * OK [ALERT] STARTTLS
				O< * XCAPABILITY STARTTLS`,
			state: Following,
		},
		{
			name: "refused",
			dialogue: dovecotIMAP + `
				C: a2 STARTTLS
				O: a2 BAD TLS support is not enabled.
				C: a3 NOOP
				O: a3 OK`,
			state: Following, offered: true,
			hidden: [2][]string{{"a2 STARTTLS\r\n"}, {" STARTTLS", " LOGINDISABLED", "a2 BAD TLS support is not enabled.\r\n"}},
		},
		{
			name: "answer with another tag",
			dialogue: dovecotIMAP + `
				C: a1 NOOP
				C< a2 STARTTLS
				O: a1 OK NOOP completed.`,
			state: Requested, offered: true,
			hidden: [2][]string{{"a2 STARTTLS\r\n"}, announced[1]},
		},
		{
			name: "login in clear",
			dialogue: `
				O: * OK ready
				C: a1 LOGIN a b
				O: a1 OK [CAPABILITY IMAP4rev1] Logged in
				C: a2 STARTTLS
				O: a2 BAD no`,
			state: Done,
		},
		{
			name: "login refused, then upgrade",
			dialogue: dovecotIMAP + `
				C: a1 LOGIN a b
				O: a1 NO [PRIVACYREQUIRED] no
				C: a2 STARTTLS
				O: a2 OK Begin TLS negotiation now.`,
			state: Upgraded, offered: true, hidden: upgraded,
		},
		{
			name:     "PREAUTH",
			dialogue: "O: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello\nC: a1 STARTTLS",
			state:    Done, offered: true,
			hidden: [2][]string{nil, {" STARTTLS"}},
		},
		{
			name: "PREAUTH after the greeting is nothing",
			dialogue: dovecotIMAP + `
				O: * PREAUTH injected
				C: a2 STARTTLS
				O: a2 OK Begin TLS negotiation now.`,
			state: Upgraded, offered: true, hidden: upgraded,
		},
		{
			name: "literals of a login",
			dialogue: `
				O: * OK ready
				C: a1 LOGIN {13}
				O: + OK
				C: a2 STARTTLS␊a {13}
				O: + OK
				C: a3 STARTTLS␊b
				O: a1 NO wrong
				C: a4 STARTTLS
				O: a4 OK go`,
			state:  Upgraded,
			hidden: [2][]string{{"a4 STARTTLS\r\n"}, {"a4 OK go\r\n"}},
		},
		{
			name: "literals without waiting",
			dialogue: `
				O: * OK ready
				C: a1 LOGIN {14+}
				C< x␊a2 STARTTLS␊ {0+}
				C< 
				C< a4 STARTTLS
				O: a1 NO wrong
				O< a4 OK go`,
			state:  Upgraded,
			hidden: [2][]string{{"a4 STARTTLS\r\n"}, {"a4 OK go\r\n"}},
		},
		{
			name: "literal refused",
			dialogue: `
				O: * OK ready
				C: a1 LOGIN {99999}
				O: a1 NO [TOOBIG] no
				C: a4 STARTTLS
				O: a4 OK go`,
			state:  Upgraded,
			hidden: [2][]string{{"a4 STARTTLS\r\n"}, {"a4 OK go\r\n"}},
		},
		{
			name: "literal sent before it may is kept back",
			dialogue: `
				O: * OK ready
				C: a1 LOGIN {13}
				C< a2 STARTTLS␊a b
				O: + OK
				O< a1 NO wrong`,
			state: Following,
		},
		{
			name: "authentication, responses mean nothing",
			dialogue: `
				O: * OK ready
				C: a1 AUTHENTICATE LOGIN
				O: + VXNlcm5hbWU6
				C: x STARTTLS
				O: + UGFzc3dvcmQ6
				C: *
				O: a1 BAD cancelled
				C: a4 STARTTLS
				O: a4 OK go`,
			state:  Upgraded,
			hidden: [2][]string{{"a4 STARTTLS\r\n"}, {"a4 OK go\r\n"}},
		},
		{
			name: "authenticated",
			dialogue: `
				O: * OK ready
				C: a1 AUTHENTICATE PLAIN AGEAYg==
				O: a1 OK in
				C: a2 STARTTLS`,
			state: Done,
		},
		{
			name: "literal of the origin",
			dialogue: `
				O: * OK ready
				O< * X {34}
				O< * CAPABILITY STARTTLS␊* CAPABILITY
				O< * OK see {5}
				O< * CAPABILITY starttls`,
			state: Following, offered: true,
			hidden: [2][]string{nil, {" starttls"}},
		},
		{
			name: "command behind STARTTLS",
			dialogue: dovecotIMAP + `
				C: a2 STARTTLS
				C< a3 LOGIN a b`,
			state: Violation, offered: true,
			hidden:  [2][]string{{"a2 STARTTLS\r\n"}, announced[1]},
			pending: [2]string{"a3 LOGIN a b\r\n", ""},
		},
		{
			name: "response behind the answer to STARTTLS",
			dialogue: dovecotIMAP + `
				C: a2 STARTTLS
				O: a2 OK Begin TLS negotiation now.
				O< * CAPABILITY IMAP4rev1`,
			state: Violation, offered: true, hidden: upgraded,
			pending: [2]string{"", "* CAPABILITY IMAP4rev1\r\n"}, oneRead: true,
		},
	}
	for _, tt := range tests {
		tt.protocol = sniff.IMAP
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

func TestIMAPOutstanding(t *testing.T) {
	var logins strings.Builder
	for i := range maxTags + 1 {
		fmt.Fprintf(&logins, "a%d LOGIN a b\r\n", i)
	}
	r := play(t, newDialogue(t, sniff.IMAP), []turn{{false, logins.String()}}, whole)
	if r.state != Done {
		t.Errorf("%v, want done", r.state)
	}
}
