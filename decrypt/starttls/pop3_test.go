package starttls

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

const dovecotPOP3 = `
	O: +OK Dovecot (Debian) ready.
	C: CAPA
	O: +OK
	O< CAPA
	O< TOP
	O< UIDL
	O< STLS
	O< SASL PLAIN
	O< .
`

func TestPOP3(t *testing.T) {
	announced := [2][]string{nil, {"STLS\r\n"}}
	upgraded := [2][]string{{"STLS\r\n"}, {"STLS\r\n", "+OK Begin TLS negotiation now.\r\n"}}
	tests := []scenario{
		{
			name: "dovecot, upgrade",
			dialogue: dovecotPOP3 + `
				C: STLS
				O: +OK Begin TLS negotiation now.`,
			state: Upgraded, offered: true, hidden: upgraded,
		},
		{
			name: "pipelined",
			dialogue: `
				O: +OK ready
				C: CAPA
				C< stls
				O: +OK list
				O< STLS
				O< .
				O< +OK Begin TLS negotiation now.`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"stls\r\n"}, upgraded[1]},
		},
		{
			name:     "client speaks before the greeting",
			dialogue: "C: STLS\nO: +OK ready\nO< +OK go",
			state:    Upgraded,
			hidden:   [2][]string{{"STLS\r\n"}, {"+OK go\r\n"}},
		},
		{
			name: "refused",
			dialogue: dovecotPOP3 + `
				C: STLS
				O: -ERR TLS support is not enabled.
				C: NOOP
				O: -ERR`,
			state: Following, offered: true,
			hidden: [2][]string{{"STLS\r\n"}, {"STLS\r\n", "-ERR TLS support is not enabled.\r\n"}},
		},
		{
			name: "CAPA refused",
			dialogue: `
				O: +OK ready
				C: CAPA
				O: -ERR
				C: STLS
				O: +OK go`,
			state:  Upgraded,
			hidden: [2][]string{{"STLS\r\n"}, {"+OK go\r\n"}},
		},
		{
			name: "password in clear",
			dialogue: dovecotPOP3 + `
				C: USER a
				O: +OK
				C: PASS b
				O: +OK Logged in.
				C: RETR 1
				O: +OK
				O< STLS
				O< .`,
			state: Done, offered: true, hidden: announced,
		},
		{
			name: "wrong password, then upgrade",
			dialogue: dovecotPOP3 + `
				C: USER a
				C< PASS b
				O: +OK
				O< -ERR [AUTH] no
				C: STLS
				O: +OK Begin TLS negotiation now.`,
			state: Upgraded, offered: true, hidden: upgraded,
		},
		{
			name:     "APOP",
			dialogue: "O: +OK <1@a.test>\nC: APOP a 0123\nO: +OK\nC: STLS",
			state:    Done,
		},
		{
			name: "authentication, responses mean nothing",
			dialogue: `
				O: +OK ready
				C: AUTH LOGIN
				O: + VXNlcm5hbWU6
				C: STLS
				O: + UGFzc3dvcmQ6
				C: PASS x
				O: -ERR no
				C: stls
				O: +OK go`,
			state:  Upgraded,
			hidden: [2][]string{{"stls\r\n"}, {"+OK go\r\n"}},
		},
		{
			name:     "authenticated",
			dialogue: "O: +OK\nC: AUTH PLAIN AGEAYg==\nO: +OK in\nC: STLS",
			state:    Done,
		},
		{
			name: "AUTH and LANG without argument give lists",
			dialogue: `
				O: +OK ready
				C: AUTH
				C< LANG
				O: +OK
				O< STLS
				O< .
				O< +OK
				O< en English
				O< .
				C: STLS
				O: +OK go`,
			state:  Upgraded,
			hidden: [2][]string{{"STLS\r\n"}, {"+OK go\r\n"}},
		},
		{
			name: "command behind STLS",
			dialogue: dovecotPOP3 + `
				C: STLS
				C< USER a`,
			state: Violation, offered: true,
			hidden:  [2][]string{{"STLS\r\n"}, announced[1]},
			pending: [2]string{"USER a\r\n", ""},
		},
		{
			name: "reply behind the answer to STLS",
			dialogue: dovecotPOP3 + `
				C: STLS
				O: +OK Begin TLS negotiation now.
				O< +OK injected`,
			state: Violation, offered: true, hidden: upgraded,
			pending: [2]string{"", "+OK injected\r\n"}, oneRead: true,
		},
	}
	for _, tt := range tests {
		tt.protocol = sniff.POP3
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}
