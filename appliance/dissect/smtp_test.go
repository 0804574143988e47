package dissect_test

import (
	"fmt"
	"slices"
	"testing"
)

func TestSMTP(t *testing.T) {
	hello := []step{down("220 mail.example.test ESMTP\r\n"), up("EHLO c\r\n"), down("250-x\r\n250 CHUNKING\r\n")}
	envelope := []step{up("MAIL FROM:<a@a.test> SIZE=5\r\n"), down("250 ok\r\n"), up("rcpt to: <b@b.test>\r\nRCPT TO:<c@c.test>\r\n"), down("250 ok\r\n250 ok\r\n")}
	const message = "Subject: =?utf-8?q?x_=26?=\r\n y\r\nMESSAGE-ID: <1@a.test>\r\n\r\nbody\r\n..\r\n.x\r\n"
	const head = "Subject: =?utf-8?q?x_=26?=\\r\\n y\\r\\nMESSAGE-ID: <1@a.test>\\r\\n\\r\\n"
	const known = "sender <a@a.test>\nrecipient <b@b.test>\nrecipient <c@c.test>\n"
	const begun = known + "message 1\nheader 1 subject=x & y id=<1@a.test>\n"
	data := []step{up("DATA\r\n"), down("354 go\r\n"), up(message + ".\r\n"), down("250 taken\r\n")}
	dot := "\\r\\n" // the dots of transparency are no content
	run(t, []row{
		{"DATA", begun + `end 1 > complete 70 "` + head + `body` + dot + `.` + dot + `x` + dot + `"
			reply 1 250
			stop ended`, slices.Concat(hello, envelope, data)},
		{"BDAT", begun + `end 1 > complete 72 "` + head + `body` + dot + `..` + dot + `.x` + dot + `"
			reply 1 250
			stop ended`, slices.Concat(hello, envelope, []step{up("BDAT 10\r\n" + message[:10]), down("250 ok\r\n"),
			up(fmt.Sprintf("BDAT %d LAST\r\n%s", len(message)-10, message[10:])), down("250 ok\r\n")})},
		{"two messages", `sender <>
			message 1
			header 1
			end 1 > complete 3 "x\r\n"
			sender <a@b>
			message 2
			header 2
			end 2 > complete 0
			reply 1 250
			reply 2 554
			stop ended`, slices.Concat(hello, []step{up("MAIL FROM:<>\r\nBDAT 3 LAST\r\nx\r\nMAIL FROM:<a@b>\r\nBDAT 0 LAST\r\n"), down("250 ok\r\n250 1\r\n250 ok\r\n554-no\r\n554 no\r\n")})},
		{"DATA refused, then granted", known + `message 1
			header 1
			end 1 > complete 3 "x\r\n"
			reply 1 250
			stop ended`, slices.Concat(hello, envelope, []step{up("DATA\r\n"), down("451 later\r\n"), up("NOOP\r\n"), down("250 ok\r\n"), up("DATA\r\n"), down("354 go\r\n"), up("x\r\n.\r\n"), down("250 ok\r\n")})},
		{"a client that does not wait is refused", known + `message 1
			header 1
			end 1 > cut 3 "x\r\n"
			message 2
			header 2
			end 2 > complete 3 "y\r\n"
			reply 2 250
			stop ended`, slices.Concat(hello, envelope, []step{up("DATA\r\nx\r\n"), down("451 later\r\n"), up("DATA\r\n"), down("354 go\r\n"), up("y\r\n.\r\n"), down("250 ok\r\n")})},
		{"taken back", known + `stop ended`, slices.Concat(hello, envelope, []step{up("RSET\r\n"), down("250 ok\r\n"), up("QUIT\r\n")})},
		{"the session ends within", known + `message 1
			header 1 subject=x
			end 1 > cut 10 "Subject: x"
			stop ended`, slices.Concat(hello, envelope, data[:2], []step{up("Subject: x"), upEnd()})},
		{"PLAIN", `login PLAIN alice granted
			login XOAUTH2 a@b refused
			login LOGIN alice unanswered
			stop ended`, slices.Concat(hello, []step{up("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"), down("235 ok\r\n"), up("AUTH XOAUTH2\r\n"), down("334 \r\n"),
			up("dXNlcj1hQGIBYXV0aD1CZWFyZXIgeAEB\r\n"), down("535 no\r\n"), up("auth login YWxpY2U=\r\n"), down("334 UGFzc3dvcmQ6\r\n"), up("c2VjcmV0\r\n")})},
		{"credentials", `login LOGIN  granted
			stop ended`, slices.Concat(hello, []step{up("AUTH LOGIN\r\n"), down("334 \r\n"), up("MAIL FROM:<a@b>\r\n"), down("334 \r\n"), up("DATA\r\n"), down("235 ok\r\n")})},
	})
	begin := slices.Concat(hello, envelope, data[:2])
	run(t, []row{
		{"gap in DATA", begun + `end 1 > complete 64-4 "` + head + `????` + dot + `"
			reply 1 250
			stop ended`, slices.Concat(begin, []step{up(message[:len(message)-14]), upLost(4), up("\r\n.\r\n"), down("250 ok\r\n")})},
		{"gap in the header", known + `message 1
			header 1 subject=x
			end 1 > complete 17-5 "Subject: x?????\r\n"
			reply 1 250
			stop ended`, slices.Concat(begin, []step{up("Subject: x"), upLost(5), up("\r\n.\r\n"), down("250 ok\r\n")})},
		{"gap over the end of DATA", known + `message 1
			header 1
			end 1 > lost 11-8 "x\r\n????????"
			reply 1 250
			sender <d@d.test>
			stop ended`, slices.Concat(begin, []step{up("x\r\n"), upLost(8), down("250 ok\r\n"), up("MAIL FROM:<d@d.test>\r\n"), down("250 ok\r\n")})},
		{"gap in a chunk", known + `message 1
			header 1
			end 1 > complete 5-3 "x???y"
			reply 1 250
			stop ended`, slices.Concat(hello, envelope, []step{up("BDAT 5 LAST\r\nx"), upLost(3), up("y"), down("250 ok\r\n")})},
		{"gap beyond a chunk", known + `message 1
			header 1
			end 1 > lost 1 "x"
			stop gap`, slices.Concat(hello, envelope, []step{up("BDAT 5 LAST\r\nx"), upLost(5), up("NOOP\r\n")})},
		{"gap in commands", known + `stop gap`, slices.Concat(hello, envelope, []step{upLost(30), up("MAIL FROM:<no@command>\r\n")})},
		{"gap in replies", known + `stop gap`, slices.Concat(hello, envelope, []step{downLost(5), up("DATA\r\n")})},
	})
}
