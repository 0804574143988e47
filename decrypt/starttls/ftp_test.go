package starttls

import (
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

const vsftpd = `
	O: 220 (vsFTPd 3.0.3)
	C: FEAT
	O: 211-Features:
	O<  AUTH TLS
	O<  EPRT
	O<  PROT
	O<  UTF8
	O< 211 End
`

func TestFTP(t *testing.T) {
	offered := " AUTH TLS\r\n"
	answer := "234 Proceed with negotiation.\r\n"
	upgraded := [2][]string{{"AUTH TLS\r\n"}, {offered, answer}}
	tests := []scenario{
		{name: "vsftpd, upgrade", dialogue: vsftpd + "C: AUTH TLS\nO: 234 Proceed with negotiation.",
			state: Upgraded, offered: true, offer: Accepted, hidden: upgraded},
		{name: "not asked what it can", dialogue: "O: 220 hi\nC: auth ssl\nO: 234 ok",
			state: Upgraded, offer: Accepted, hidden: [2][]string{{"auth ssl\r\n"}, {"234 ok\r\n"}}},
		{name: "login in clear", dialogue: vsftpd + "C: USER a\nO: 331 b\nC: PASS c\nO: 230-hi\nO< 234 text\nO< 230 in",
			offered: true, offer: Offered, hidden: [2][]string{nil, {offered}}},
		{name: "behind a login", dialogue: vsftpd + "C: USER a\nO: 331 b\nC: PASS c\nO: 230 in\nC: AUTH TLS\nO: 234 Proceed with negotiation.",
			state: Upgraded, offered: true, offer: Accepted, hidden: upgraded},
		{name: "refused", dialogue: vsftpd + "C: AUTH TLS\nO: 530 Please login with USER and PASS.\nC: USER a\nO: 331 b",
			offered: true, offer: Refused, hidden: [2][]string{{"AUTH TLS\r\n"}, {offered, "530 Please login with USER and PASS.\r\n"}}},
		{name: "not offered", dialogue: "O: 220 hi\nC: FEAT\nO: 211-Features\nO<  EPRT\nO< 211 End", offer: Omitted},
		{name: "FEAT unknown", dialogue: "O: 220 hi\nC: FEAT\nO: 500 what?"},
		{name: "FEAT in one line", dialogue: "O: 220 hi\nC: FEAT\nO: 211 none\nC: AUTH TLS\nO: 234 ok", state: Upgraded, offer: Accepted,
			hidden: [2][]string{{"AUTH TLS\r\n"}, {"234 ok\r\n"}}},
		{name: "another mechanism", dialogue: "O: 220 hi\nC: AUTH GSSAPI\nO: 334 ADAT=\nC: ADAT x\nO: 235 ok"},
		{name: "greeting of many lines, replies that come in parts",
			dialogue: "O: 120 soon\nO< 220-\nO< 234 text\nO< 220 hi\nC: LIST\nO: 150 here\nO< 226 done\nC: AUTH TLS\nO: 234 Proceed with negotiation.",
			state:    Upgraded, offer: Accepted, hidden: [2][]string{{"AUTH TLS\r\n"}, {answer}}},
		{name: "command behind the command", dialogue: vsftpd + "C: AUTH TLS\nC< USER a", state: Violation, offered: true, offer: Offered,
			hidden: [2][]string{{"AUTH TLS\r\n"}, {offered}}, pending: [2]string{"USER a\r\n", ""}},
		{name: "reply behind the reply", dialogue: vsftpd + "C: AUTH TLS\nO: 234 Proceed with negotiation.\nO< 220 injected", state: Violation,
			offered: true, offer: Offered, hidden: upgraded, pending: [2]string{"", "220 injected\r\n"}, oneRead: true},
	}
	for _, tt := range []scenario{
		{name: "mail, USER before", dialogue: "O: 220 hi\nC: USER a\nO: 500 what?\nC: EHLO a\nO: 250-hi\nO< 250 STARTTLS\nC: STARTTLS\nO: 220 go"},
		{name: "mail, AUTH TLS before", dialogue: "O: 220 hi\nC: AUTH TLS\nO: 503-not\nO< 503 now\nC: EHLO a\nO: 250-hi\nO< 250 STARTTLS\nC: STARTTLS\nO: 220 go",
			hidden: [2][]string{{"AUTH TLS\r\n"}, {"503-not\r\n", "503 now\r\n"}}},
		{name: "mail, several before", dialogue: "O: 220 hi\nC: NOOP\nC< USER a\nC< NOOP\nO: 250 yes\nO< 502 no\nO< 250 yes\nC: EHLO a\nO: 250-hi\nO< 250 STARTTLS\nC: STARTTLS\nO: 220 go"},
	} {
		tt.protocol, tt.state, tt.offered, tt.offer = sniff.Greeting220, Upgraded, true, Accepted
		tt.hidden[0] = append(tt.hidden[0], "STARTTLS\r\n")
		tt.hidden[1] = append(tt.hidden[1], "STARTTLS", "220 go\r\n")
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
	for _, tt := range tests {
		tt.protocol = sniff.FTP
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
		tt.protocol = sniff.Greeting220
		t.Run(tt.name+", greeting that tells nothing", func(t *testing.T) { tt.run(t) })
	}
}
