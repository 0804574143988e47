package starttls

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/pipeline"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

const postfixHello = `
	O: 220 mail.a.test ESMTP Postfix (Debian/GNU)
	C: EHLO client.test
	O: 250-mail.a.test
	O< 250-PIPELINING
	O< 250-SIZE 10240000
	O< 250-STARTTLS
	O< 250-ENHANCEDSTATUSCODES
	O< 250-8BITMIME
	O< 250 CHUNKING
`

func TestSMTP(t *testing.T) {
	announced := [2][]string{nil, {"250-STARTTLS\r\n"}}
	upgraded := [2][]string{{"STARTTLS\r\n"}, {"250-STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n"}}
	tests := []scenario{
		{
			name: "postfix, upgrade",
			dialogue: postfixHello + `
				C: STARTTLS
				O: 220 2.0.0 Ready to start TLS`,
			state: Upgraded, offered: true, hidden: upgraded,
		},
		{
			name: "exim, STARTTLS is the last line",
			dialogue: `
				O: 220-mail.a.test ESMTP Exim 4.96
				O< 220 Tue, 03 Jun 2025 10:00:00 +0000
				C: EHLO client.test
				O: 250-mail.a.test Hello client.test [192.0.2.1]
				O< 250-8BITMIME
				O< 250 STARTTLS
				C: starttls
				O: 220 TLS go ahead`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"starttls\r\n"}, {"STARTTLS", "220 TLS go ahead\r\n"}},
		},
		{
			name: "never upgraded",
			dialogue: postfixHello + `
				C: MAIL FROM:<a@a.test>
				O: 250 2.1.0 Ok
				C: QUIT
				O: 221 2.0.0 Bye`,
			state: Following, offered: true, hidden: announced,
		},
		{
			name: "not offered, asked all the same, refused",
			dialogue: `
				O: 220 a.test ESMTP
				C: EHLO c
				O: 250 a.test
				C: STARTTLS
				O: 502 5.5.1 not implemented
				C: MAIL FROM:<a@a.test>
				O: 250 ok`,
			state:  Following,
			hidden: [2][]string{{"STARTTLS\r\n"}, {"502 5.5.1 not implemented\r\n"}},
		},
		{
			name: "refused for now, then accepted",
			dialogue: postfixHello + `
				C: STARTTLS
				O: 454-4.7.0 TLS not available
				O< 454 4.7.0 due to local problem
				C: STARTTLS
				O: 220 2.0.0 Ready to start TLS`,
			state: Upgraded, offered: true,
			hidden: [2][]string{
				{"STARTTLS\r\n", "STARTTLS\r\n"},
				{"250-STARTTLS\r\n", "454-4.7.0 TLS not available\r\n", "454 4.7.0 due to local problem\r\n", "220 2.0.0 Ready to start TLS\r\n"},
			},
		},
		{
			name: "STARTTLS last in a pipelined group",
			dialogue: postfixHello + `
				C: RSET
				C< NOOP
				C< STARTTLS
				O: 250 2.0.0 Ok
				O< 250 2.0.0 Ok
				O< 220 2.0.0 Ready to start TLS`,
			state: Upgraded, offered: true, hidden: upgraded,
		},
		{
			name: "220 that answers another command",
			dialogue: postfixHello + `
				C: NOOP
				C< STARTTLS
				O: 220 odd`,
			state: Requested, offered: true,
			hidden: [2][]string{{"STARTTLS\r\n"}, {"250-STARTTLS\r\n"}},
		},
		{
			name: "STARTTLS with an argument",
			dialogue: `
				O: 220 a.test ESMTP
				C: STARTTLS now
				O: 501 5.5.4 Syntax: STARTTLS`,
			state:  Following,
			hidden: [2][]string{{"STARTTLS now\r\n"}, {"501 5.5.4 Syntax: STARTTLS\r\n"}},
		},
		{
			name: "client speaks before the greeting",
			dialogue: `
				C: EHLO c
				O: 220 a.test ESMTP
				O< 250-a.test
				O< 250-STARTTLS
				O< 250 HELP`,
			state: Following, offered: true, hidden: announced,
		},
		{
			name: "greeting was not followed",
			dialogue: `
				C: EHLO c
				O: 250-a.test
				O< 250 STARTTLS
				C: STARTTLS
				O: 220 go`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"STARTTLS\r\n"}, {"STARTTLS", "220 go\r\n"}},
		},
		{
			name: "origin called STARTTLS",
			dialogue: `
				O: 220 a.test ESMTP
				C: EHLO c
				O: 250-STARTTLS
				O< 250 HELP`,
			state: Following,
		},
		{
			name: "STARTTLS in the answer to HELP",
			dialogue: `
				O: 220 a.test ESMTP
				C: HELP
				O: 250-I know
				O< 250-STARTTLS
				O< 250 and more`,
			state: Following,
		},
		{
			name: "mail text",
			dialogue: postfixHello + `
				C: MAIL FROM:<a@a.test>
				C< RCPT TO:<b@b.test>
				C< DATA
				O: 250 2.1.0 Ok
				O< 250 2.1.5 Ok
				O< 354 End data with <CR><LF>.<CR><LF>
				C: Subject: x
				C<
				C< STARTTLS
				C< ..
				C< DATA
				C< .
				O: 250 2.0.0 Ok: queued as 1
				C: StartTLS
				O: 220 2.0.0 Ready to start TLS`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"StartTLS\r\n"}, {"250-STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n"}},
		},
		{
			name: "mail text, dot after a bare line feed",
			dialogue: postfixHello + `
				C: DATA
				O: 354 go
				C: text␊.
				C< STARTTLS
				C< .
				O: 250 ok`,
			state: Following, offered: true, hidden: announced,
		},
		{
			name: "mail text, ended by the origin at a dot between bare line feeds",
			dialogue: postfixHello + `
				C: DATA
				O: 354 go
				C: text␊.␊\
				O: 250 ok
				C: STARTTLS
				O: 220 go`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"STARTTLS\r\n"}, {"250-STARTTLS\r\n", "220 go\r\n"}},
		},
		{
			name: "commands smuggled behind such an end",
			dialogue: postfixHello + `
				C: DATA
				O: 354 go
				C: text␊.␊STARTTLS
				O: 250 ok
				O: 220 go`,
			state: Violation, offered: true, hidden: announced, pending: [2]string{"", "220 go\r\n"},
		},
		{
			name: "STARTTLS behind a vertical tab",
			dialogue: postfixHello + `
				C: ␋starttls
				O: 220 go`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"\vstarttls\r\n"}, {"250-STARTTLS\r\n", "220 go\r\n"}},
		},
		{
			name: "STARTTLS before NUL",
			dialogue: postfixHello + `
				C: STARTTLS␀x
				O: 220 go`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"STARTTLS\x00x\r\n"}, {"250-STARTTLS\r\n", "220 go\r\n"}},
		},
		{
			name: "empty mail",
			dialogue: `
				O: 220 a.test ESMTP
				C: DATA
				O: 354 go
				C: .
				O: 250 ok
				C: STARTTLS
				O: 220 go`,
			state:  Upgraded,
			hidden: [2][]string{{"STARTTLS\r\n"}, {"220 go\r\n"}},
		},
		{
			name: "DATA refused",
			dialogue: `
				O: 220 a.test ESMTP
				C: DATA
				O: 503 5.5.1 Error: need RCPT command
				C: STARTTLS
				O: 220 go`,
			state:  Upgraded,
			hidden: [2][]string{{"STARTTLS\r\n"}, {"220 go\r\n"}},
		},
		{
			name: "mail text before the answer to DATA waits for it",
			dialogue: `
				O: 220 a.test ESMTP
				C: DATA
				C< STARTTLS
				C< .
				O: 354 go
				O< 250 ok`,
			state: Following,
		},
		{
			name: "mail text before the answer to DATA, refused, is commands",
			dialogue: `
				O: 220 a.test ESMTP
				C: DATA
				C< STARTTLS
				O: 503 no`,
			state:  Requested,
			hidden: [2][]string{{"STARTTLS\r\n"}, nil},
		},
		{
			name: "chunk",
			dialogue: postfixHello + `
				C: BDAT 10
				C< STARTTLS
				C< BDAT 13 LAST
				C< STARTTLS␊.\
				O: 250 2.0.0 Ok: 10 bytes
				O< 250 2.0.0 Ok
				C: !
				C< NOOP
				C< StartTLS
				O: 250 2.0.0 Ok
				O< 220 2.0.0 Ready to start TLS`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"StartTLS\r\n"}, {"250-STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n"}},
		},
		{
			name: "chunk that was not announced is commands",
			dialogue: `
				O: 220 a.test ESMTP
				C: EHLO c
				O: 250 a.test
				C: BDAT 10
				C< STARTTLS
				O: 502 no
				O< 220 go`,
			state:  Upgraded,
			hidden: [2][]string{{"STARTTLS\r\n"}, {"220 go\r\n"}},
		},
		{
			name: "AUTH, responses mean nothing",
			dialogue: postfixHello + `
				C: AUTH LOGIN
				O: 334 VXNlcm5hbWU6
				C: STARTTLS
				O: 334 UGFzc3dvcmQ6
				C: DATA
				O: 535 5.7.8 Error: authentication failed
				C: AUTH PLAIN AGEAYg==
				O: 235 2.7.0 Authentication successful
				C: NOOP
				C< StartTLS
				O: 250 ok
				O< 220 2.0.0 Ready to start TLS`,
			state: Upgraded, offered: true,
			hidden: [2][]string{{"StartTLS\r\n"}, {"250-STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n"}},
		},
		{
			name: "CVE-2011-0411: command behind STARTTLS",
			dialogue: postfixHello + `
				C: STARTTLS
				C< RSET`,
			state: Violation, offered: true,
			hidden:  [2][]string{{"STARTTLS\r\n"}, {"250-STARTTLS\r\n"}},
			pending: [2]string{"RSET\r\n", ""},
		},
		{
			name: "command between STARTTLS and its answer",
			dialogue: postfixHello + `
				C: STARTTLS
				C: NOOP`,
			state: Violation, offered: true,
			hidden:  [2][]string{{"STARTTLS\r\n"}, {"250-STARTTLS\r\n"}},
			pending: [2]string{"NOOP\r\n", ""},
		},
		{
			name: "reply behind the answer to STARTTLS",
			dialogue: postfixHello + `
				C: STARTTLS
				O: 220 2.0.0 Ready to start TLS
				O< 250 injected`,
			state: Violation, offered: true, hidden: upgraded,
			pending: [2]string{"", "250 injected\r\n"}, oneRead: true,
		},
		{
			name: "garbage",
			dialogue: `
				O: 22
				O< 2200 x
				O< x
				C: 
				C< \
				O: \`,
			state: Following,
		},
	}
	for _, tt := range tests {
		tt.protocol = sniff.SMTP
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t)
		})
	}
}

func TestGreeting220(t *testing.T) {
	tests := []struct {
		name, dialogue string
		state          State
		protocol       sniff.Protocol
	}{
		{"SMTP", "O: 220 a.test\nC: EHLO c\nO: 250 STARTTLS\nC: STARTTLS\nO: 220 go", Upgraded, sniff.SMTP},
		{"FTP", "O: 220 a.test\nC: USER a\nO: 331 ?\nC: PASS b\nO: 230 in", Following, sniff.FTP},
		{"open", "O: 220 a.test\nC: NOOP\nO: 200 ok", Following, sniff.Greeting220},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range []cutter{whole, single} {
				r := play(t, newDialogue(t, sniff.Greeting220), script(tt.dialogue), cut)
				if r.state != tt.state || r.d.Protocol() != tt.protocol {
					t.Errorf("%v, %q, want %v, %q", r.state, r.d.Protocol(), tt.state, tt.protocol)
				}
			}
		})
	}
}

func TestOutstandingCommands(t *testing.T) {
	for _, n := range []int{pipeline.Max, pipeline.Max + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			want := Following
			if n > pipeline.Max {
				want = Done
			}
			r := play(t, newDialogue(t, sniff.SMTP), []turn{
				{true, "220 a.test\r\n"},
				{false, strings.Repeat("NOOP\r\n", n)},
				{true, strings.Repeat("250 ok\r\n", n)},
				{false, strings.Repeat("NOOP\r\n", n)},
			}, whole)
			if r.state != want {
				t.Errorf("%v, want %v", r.state, want)
			}
			if kept := r.d.grammar.(*mailGrammar).dialogue.Outstanding(); kept > pipeline.Max {
				t.Errorf("%d commands are kept", kept)
			}
		})
	}
}
