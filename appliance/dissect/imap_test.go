package dissect_test

import (
	"slices"
	"testing"
)

func TestIMAP(t *testing.T) {
	login := []step{down("* OK hello\r\n"), up("a LOGIN \"bob\" \"secret\"\r\n"), down("a OK in\r\n")}
	const begin = "login LOGIN bob granted\n"
	const mime = "Content-Type: APPLICATION/PDF;\\r\\n NAME=\\\"b\\\\\\\"c\\\";\\r\\n x=\\\"\\\"\\r\\nContent-Transfer-Encoding: BASE64\\r\\nContent-Disposition: ATTACHMENT;\\r\\n FILENAME*=UTF-8''a%20b\\r\\n\\r\\n"
	z, z2, z3 := newSqueezer(), newSqueezer(), newSqueezer()
	run(t, []row{
		{"logins", `login LOGIN a"b refused
			login LOGIN bob refused
			login PLAIN alice granted
			login SCRAM-SHA-256 user unanswered
			stop ended`, []step{down("* OK\r\n"), up("a LOGIN \"a\\\"b\" x\r\n"), down("a NO\r\n"), up("b LOGIN {3}\r\n"), down("+\r\n"), up("bob {6+}\r\nsecret\r\n"), down("b BAD\r\n"),
			up("c AUTHENTICATE plain AGFsaWNlAHNlY3JldA==\r\n"), down("c OK\r\n"), up("d AUTHENTICATE SCRAM-SHA-256\r\n"), down("+ \r\n"), up("biwsbj11c2VyLHI9eA==\r\n"), down("+ cj14\r\n"), up("Yz1iaXdz\r\n")}},
		{"fetch", begin + `message 1 fetched
			header 1 subject=hi
			end 1 < complete 18 "Subject: hi\r\n\r\nx\r\n"
			message 2 fetched
			header 2
			end 2 < complete 0
			stop ended`, slices.Concat(login, []step{up("b FETCH 1:2 (FLAGS BODY.PEEK[])\r\n"), down("* 1 FETCH (FLAGS () BODY[] {18}\r\nSubject: hi\r\n\r\nx\r\n)\r\n* 2 FETCH (BODY[] {0}\r\n)\r\nb OK\r\n")})},
		{"first octets, others and headers", begin + `message 1 fetched
			part 2 1 ""
			end 2 < complete 1 "x"
			header 1
			end 1 < cut 4 "xyzz"
			stop ended`, slices.Concat(login, []step{up("b FETCH 1 BODY[]<0.2>\r\n"), down("* 1 FETCH (BODY[]<0> {2}\r\nxy BODY[]<2> {2}\r\nzz BODY[HEADER] {2}\r\n\r\n BODY[1] {1}\r\nx)\r\nb OK\r\n")})},
		{"append", begin + `message 1
			header 1 subject=x
			end 1 > complete 15 "Subject: x\r\n\r\ny"
			message 2
			header 2
			end 2 > complete 0
			stop ended`, slices.Concat(login, []step{up("b APPEND {5+}\r\nINBOX (\\Seen) {15}\r\n"), down("+ go\r\n"), up("Subject: x\r\n\r\ny {0+}\r\n\r\n"), down("b OK\r\n")})},
		{"append refused, parts", begin + `stop ended`, slices.Concat(login, []step{up("b APPEND x {15}\r\n"), down("b NO\r\n"), up("c APPEND x CATENATE (URL y TEXT {3+}\r\nabc)\r\nd APPEND {1+}\r\nx CATENATE (TEXT {3+}\r\nabc)\r\n")})},
		{"compressed, inflated by the feeder", begin + `message 1 fetched
			header 1
			end 1 < complete 1 "x"
			stop ended`, slices.Concat(login, []step{up("b COMPRESS DEFLATE\r\n"), down("b OK\r\n"), down("* 1 FETCH (BODY[] {1}\r\nx)\r\n")})},
		{"parts", begin + `part 1 2 "` + mime + `"
			end 1 < complete 4 "eHh4"
			part 2 1 "Content-Type: TEXT/PLAIN;\r\n CHARSET=\"UTF-8\"\r\nContent-Transfer-Encoding: 7BIT\r\n\r\n"
			end 2 < complete 1 "t"
			part 3 1 ""
			end 3 < complete 1 "u"
			message 4 fetched
			header 4 subject=x
			end 4 < complete 15 "Subject: x\r\n\r\ny"
			stop ended`, slices.Concat(login, []step{up("b FETCH 7 BODYSTRUCTURE\r\n"),
			down("* 7 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"UTF-8\") NIL NIL \"7BIT\" 1 1) (\"APPLICATION\" \"PDF\" (\"NAME\" {3}\r\nb\"c \"x\" {0}\r\n) NIL NIL \"BASE64\" 4 NIL (\"ATTACHMENT\" (\"FILENAME*\" \"UTF-8''a%20b\"))) \"MIXED\"))\r\nb OK\r\n"),
			up("c FETCH 7 BODY[2]\r\n"), down("* 7 FETCH (BODY[2] {4}\r\neHh4)\r\nc OK\r\n"), up("d FETCH 7 BODY[1]\r\n"), down("* 7 FETCH (BODY[1] \"t\")\r\nd OK\r\n* 7 EXPUNGE\r\n* 7 FETCH (BODY[1] {1}\r\nu)\r\n"),
			down("* 8 FETCH (BODY[HEADER] {14}\r\nSubject: x\r\n\r\n BODY[TEXT] {1}\r\ny)\r\n")})},
		{"ranges", begin + `message 1 fetched
			part 2 2 "A: b\r\n\r\n"
			end 2 < complete 5 "01234"
			header 1
			end 1 < complete 4 "xyzz"
			part 3 3 ""
			end 3 < cut 4-2 "??ab"
			stop ended`, slices.Concat(login, []step{up("b FETCH 1 BODY[]<0.2>\r\n"), down("* 1 FETCH (RFC822.SIZE 4 BODY[]<0> {2}\r\nxy)\r\n"), down("* 2 FETCH (BODY[2.MIME] {8}\r\nA: b\r\n\r\n BODY[2]<0> {2}\r\n01)\r\n"),
			up("c FETCH 2 BODY[2]<2.2>\r\nd FETCH 2 BODY.PEEK[2]<4.2>\r\n"), down("* 2 FETCH (BODY[2]<2> {2}\r\n23)\r\n* 2 FETCH (BODY[2]<4> {1}\r\n4)\r\n"), down("* 1 FETCH (BODY[]<2> {2}\r\nzz)\r\n* 3 FETCH (BODY[3]<2> {2}\r\nab)\r\n")})},
		{"compressed", begin + `message 1 fetched
			header 1
			end 1 < complete 1 "x"
			message 2
			header 2
			end 2 > complete 1 "y"
			stop ended`, slices.Concat(login, []step{up("b COMPRESS DEFLATE\r\n"), down("b OK\r\n"), up(z.flushed("c FETCH 1 BODY[]\r\n")), down(z2.flushed("* 1 FETCH (BODY[] {1}\r\nx)\r\nc OK\r\n")), up(z.flushed("d APPEND x {1+}\r\ny\r\n")), downEnd()})},
		{"compressed, with a gap", begin + `stop gap`, slices.Concat(login, []step{up("b COMPRESS DEFLATE\r\n"), down("b OK\r\n"), up(z3.flushed("c FETCH 1 BODY[]\r\n")), upLost(1)})},
		{"gap in a message", begin + `message 1 fetched
			header 1 subject=x
			end 1 < complete 20-4 "Subject: x\r\n????xxxx"
			stop ended`, slices.Concat(login, []step{down("* 1 FETCH (BODY[] {20}\r\nSubject: x\r\n"), downLost(4), down("xxxx)\r\n")})},
		{"gap beyond a message", begin + `message 1 fetched
			header 1
			end 1 < lost 1 "S"
			stop gap`, slices.Concat(login, []step{down("* 1 FETCH (BODY[] {20}\r\nS"), downLost(20), down("x\r\n")})},
		{"cut", begin + `message 1 fetched
			header 1
			end 1 < cut 1 "S"
			stop ended`, slices.Concat(login, []step{down("* 1 FETCH (BODY[] {20}\r\nS"), downEnd()})},
	})
}

func TestPOP3(t *testing.T) {
	run(t, []row{
		{"retrieve", `login USER bob granted
			message 1 fetched
			header 1 subject=x
			end 1 < complete 21 "Subject: x\r\n\r\n.\r\n.x\r\n"
			stop ended`, []step{down("+OK hi\r\n"), up("USER bob\r\nPASS secret\r\nRETR 1\r\nTOP 1 0\r\n"), down("+OK\r\n+OK\r\n+OK\r\nSubject: x\r\n\r\n..\r\n..x\r\n.\r\n+OK\r\nSubject: x\r\n.\r\n")}},
		{"logins", `login USER bob refused
			login APOP eve refused
			login CRAM-MD5 tim granted
			login PLAIN alice unanswered
			stop ended`, []step{down("+OK hi\r\n"), up("USER bob\r\n"), down("+OK\r\n"), up("PASS x\r\n"), down("-ERR\r\n"), up("APOP eve c4c9334bac560ecc979e58001b3e22fb\r\n"), down("-ERR\r\n"),
			up("AUTH CRAM-MD5\r\n"), down("+ PHg+\r\n"), up("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n"), down("+OK\r\n"), up("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n")}},
		{"no message", `stop ended`, []step{down("+OK hi\r\n"), up("RETR 1\r\n"), down("-ERR\r\n")}},
		{"gap", `message 1 fetched
			header 1
			end 1 < lost 3 "a\r\n"
			stop gap`, []step{down("+OK hi\r\n"), up("RETR 1\r\n"), down("+OK\r\na\r\n"), downLost(2), down(".\r\n")}},
	})
}

func TestFTP(t *testing.T) {
	run(t, []row{
		{"transfers", `login USER bob granted
			channel 1.2.3.4 1286 false
			command RETR < a file.txt true
			transfer < a file.txt 226
			command STOR > b true
			command STOU >  true
			command RETR < c true
			transfer > b 550
			transfer >  226
			transfer < c 0
			stop ended`, []step{down("220-files\r\n220 ready\r\n"), up("USER bob\r\n"), down("331 go\r\n"), up("PASS x\r\n"), down("230 in\r\n"), up("PASV\r\n"), down("227 (1,2,3,4,5,6)\r\n"),
			up("RETR a file.txt\r\n"), down("150 here\r\n226 done\r\n"), up("STOR b\r\nstou\r\nRETR c\r\n"), down("550 no\r\n150-x\r\n150 x\r\n226 y\r\n125 go\r\n")}},
		{"channels", `channel invalid IP 700 false
			command LIST <  false
			channel 10.0.0.1 258 true
			command STOR > a true
			transfer > a 226
			stop ended`, []step{down("220 FTP\r\n"), up("EPSV\r\n"), down("229 Entering (|||700|)\r\n"), up("list\r\n"), down("150 x\r\n226 y\r\n"),
			up("PORT 10,0,0,1,1,2\r\n"), down("200 ok\r\n"), up("stor a\r\n"), down("150 x\r\n226 y\r\n")}},
		{"logins", `login USER anonymous granted
			login USER bob refused
			login USER tim unanswered
			stop ended`, []step{down("220 FTP\r\n"), up("USER anonymous\r\n"), down("230 in\r\n"), up("USER bob\r\n"), down("331 go\r\n"), up("PASS x\r\n"), down("530 no\r\n"), up("USER tim\r\n"), down("331 go\r\n")}},
		{"a greeting that does not tell", `stop ended`, []step{down("220 ready\r\n"), up("FEAT\r\n"), down("211-x\r\n x\r\n211 end\r\n"), up("MAIL FROM:<a@b>\r\n")}},
		{"mail behind such a greeting", `sender <a@b>
			stop ended`, []step{down("220 ready\r\n"), up("EHLO x\r\n"), down("250 x\r\n"), up("MAIL FROM:<a@b>\r\n")}},
	})
}
