package dissect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const noContent = "HTTP/1.1 204 No\r\n\r\n"

// TestReadOn: behind a gap, a session is read on where one side speaks behind the other.
func TestReadOn(t *testing.T) {
	const first = "request 1 GET /a?b h\n end 1 > complete 0\n"
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	const third = "request 2 GET /a?b h\n end 2 > complete 0\n answer 2 204\n end 2 < complete 0\n"
	run(t, []row{
		{"an answer is lost", first + `end 1 < lost 0
			` + third + `stop gap`, []step{up(get), downLost(10), down("rest of it"), up(get), down(noContent)}},
		{"the end of chunks is lost", first + `answer 1 200
			end 1 < lost 25-4 "h????\r\nGET / HTTP/1.1\r\n\r\n"
			` + third + `stop ended`, []step{up(get), down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"), downLost(5), down("\r\nGET / HTTP/1.1\r\n\r\n"), up(get), down(noContent)}},
		{"a chunk begins behind a gap", first + `answer 1 200
			end 1 < complete 26-2 "01234567??2345674567012345"
			stop ended`, []step{up(get), down(chunked + "8\r\n01234567"), downLost(7), down("234567\r\n8\r\n45670123\r\n2\r\n45\r\n0\r\n\r\n")}},
		{"several chunks are lost", first + `answer 1 200
			end 1 < complete 44-18 "01234567012??????????????????56701234567abcd"
			stop ended`, []step{up(get), down(chunked + "8;x\r\n01234567\r\n8;x\r\n012"), downLost(5 + 7 + 8 + 7 + 5), down("567\r\n8;x\r\n01234567\r\n4;x\r\nabcd\r\n0\r\n\r\n")}},
		{"an answer right behind lost chunks", `request 1 GET /a?b h
			end 1 > complete 0
			request 2 GET /a?b h
			end 2 > complete 0
			answer 1 200
			end 1 < lost 12-12 "????????????"
			answer 2 204
			end 2 < complete 0
			stop ended`, []step{up(get + get), down(chunked + "8\r\n"), downLost(20), down(noContent)}},
		{"a request in chunks, and its answer", `request 1 PUT /u h
			answer 1 201
			end 1 > lost 10-6 "1234??????"
			end 1 < complete 0
			request 2 GET /a?b h
			end 2 > complete 0
			end 2 < cut 0
			stop ended`, []step{up("PUT /u HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n4\r\n"), upLost(11), down("HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n"), up(get)}},
		{"a request is lost", first + `answer 1 204
			end 1 < complete 0
			request 2
			end 2 > lost 0
			answer 2 200
			end 2 < complete 2 "ok"
			request 3 GET /a?b h
			end 3 > complete 0
			end 3 < cut 0
			stop gap`, []step{up(get), down(noContent), upLost(30), down("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), up(get)}},
		{"another gap before the place is found", first + `end 1 < lost 0
			request 2
			end 2 > lost 0
			answer 2 204
			end 2 < complete 0
			request 3 GET /a?b h
			end 3 > complete 0
			end 3 < cut 0
			stop gap`, []step{up(get), downLost(10), upLost(10), down("HTTP/1.1 2"), downLost(2), down(noContent), up(get)}},
		{"a command right behind a gap may be text", `stop gap`, []step{down("220 ESMTP\r\n"), up("EHLO c\r\n"), down("250 x\r\n"), upLost(7), up("MAIL FROM:<a@b>\r\n")}},
		{"an answer that comes late", first + `end 1 < lost 0
			request 2 GET /a?b h
			end 2 > complete 0
			end 2 < lost 0
			request 3 GET /a?b h
			end 3 > complete 0
			answer 3 204
			end 3 < complete 0
			stop gap`, []step{up(get), downLost(10), up(get), down("the rest\r\n\r\n" + noContent), up(get), down(noContent)}},
		{"octets of a length, and a request within", first + `answer 1 200
			end 1 < complete 24-10 "` + strings.Repeat("?", 10) + get[:14] + `"
			stop ended`, []step{up(get), down("HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n"), downLost(10), down(get[:14])}},
		{"mail", `sender <a@b>
			recipient <c@d>
			message 1
			header 1
			end 1 > complete 3 "x\r\n"
			reply 1 250
			stop gap`, []step{down("220 ESMTP\r\n"), up("EHLO c\r\n"), downLost(7), up("NOOP\r\n"), down("250 ok\r\n"), up("MAIL FROM:<a@b>\r\n"), down("250 ok\r\n"), up("RCPT TO:<c@d>\r\n"), down("250 ok\r\n"), up("DATA\r\n"),
			down("354 go\r\n"), up("x\r\n.\r\n"), down("250 ok\r\n")}},
		{"another protocol than before", `stop gap`, []step{down("220 ESMTP\r\n"), up("EHLO c\r\n"), downLost(7), up(get), down(noContent)}},
		{"mailbox", `message 1 fetched
			header 1
			end 1 < lost 1 "S"
			message 2 fetched
			header 2
			end 2 < complete 1 "x"
			stop gap`, []step{down("* OK\r\n* 1 FETCH (BODY[] {20}\r\nS"), downLost(30), down("x)\r\na OK\r\n"), up("b UID FETCH 2 BODY[]\r\n"), down("* 2 FETCH (BODY[] {1}\r\nx)\r\n")}},
	})
}

// TestMidway: a session whose beginning is missing is read from the first place that tells.
func TestMidway(t *testing.T) {
	run(t, []row{
		{"request", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 204
			end 1 < complete 0
			stop ended`, []step{midway(), up(get), down(noContent)}},
		{"answer", `request 1
			end 1 > lost 0
			answer 1 204
			end 1 < complete 0
			request 2 GET /a?b h
			end 2 > complete 0
			end 2 < cut 0
			stop ended`, []step{midway(), down(noContent), up(get)}},
		{"content of an answer", `request 1 GET /a?b h
			end 1 > complete 0
			answer 1 204
			end 1 < complete 0
			stop ended`, []step{midway(), down(strings.Repeat("\x00\x01 content", 100)), up(get), down(noContent)}},
		{"request before the content of an answer", `request 1 GET /a?b h
			end 1 > complete 0
			end 1 < lost 0
			request 2 GET /a?b h
			end 2 > complete 0
			answer 2 204
			end 2 < complete 0
			stop gap`, []step{midway(), up(get), down("content\x00\xff"), up(get), down(noContent)}},
		{"content of a request", `request 1
			end 1 > lost 0
			answer 1 204
			end 1 < complete 0
			request 2 GET /a?b h
			end 2 > complete 0
			end 2 < cut 0
			stop ended`, []step{midway(), up("\x00content"), down(noContent), up(get)}},
		{"mail", `sender <a@b>
			message 1
			header 1
			end 1 > complete 3 "x\r\n"
			reply 1 250
			stop ended`, []step{midway(), up("MAIL FROM:<a@b>\r\n"), down("250 ok\r\n"), up("DATA\r\n"), down("354 go\r\n"), up("x\r\n.\r\n"), down("250 ok\r\n")}},
		{"mailbox", `message 1 fetched
			header 1
			end 1 < complete 1 "x"
			stop ended`, []step{midway(), down("* 3 EXISTS\r\n"), up("b UID FETCH 2 BODY[]\r\n"), down("* 2 FETCH (BODY[] {1}\r\nx)\r\n")}},
		{"post office", `message 1 fetched
			header 1
			end 1 < complete 3 "x\r\n"
			stop ended`, []step{midway(), up("RETR 1\r\n"), down("+OK\r\nx\r\n.\r\n")}},
		{"files", `channel invalid IP 700 false
			command RETR < a true
			transfer < a 226
			stop ended`, []step{midway(), up("EPSV\r\n"), down("229 Entering (|||700|)\r\n"), up("RETR a\r\n"), down("150 x\r\n226 y\r\n")}},
		{"something else", `stop unknown`, []step{midway(), up("(noise)\n"), down("\x02\x03"), up("\x04")}},
	})
}

// FuzzMidway: a session without its beginning, with gaps on both sides, does not depend on
// where octets were cut.
func FuzzMidway(f *testing.F) {
	f.Add([]byte(get), []byte(noContent), []byte(get), []byte(noContent), byte(0), byte(3), true)
	f.Add([]byte("rest"), []byte("rest"), []byte(get), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"), byte(9), byte(1), true)
	f.Add([]byte("MAIL FROM:<a@b>\r\n"), []byte("250 ok\r\n"), []byte("BDAT 4\r\nxx"), []byte("250 ok\r\n"), byte(1), byte(1), true)
	f.Add([]byte("b UID FETCH 2 BODY[]\r\n"), []byte("* 2 FETCH (BODY[] {1}\r\nx)\r\n"), []byte("RETR 1\r\n"), []byte("+OK\r\nx\r\n.\r\n"), byte(1), byte(1), false)
	f.Add([]byte("0"), []byte("HTTP/1. 2"), []byte("0"), []byte("00\n\n"), byte(0), byte(3), true)
	f.Add([]byte("0 UID 0\x00\n"), []byte("0"), []byte("0"), []byte("0"), byte(0), byte(1), false)
	f.Add([]byte(get), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567"), []byte(""), []byte("234567\r\n8;x\r\n45670123\r\n2\r\n45\r\n0\r\n\r\n"), byte(7), byte(1), true)
	f.Add([]byte("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567"), []byte(""), []byte("\r\n0\r\n\r\n"), []byte(noContent), byte(9), byte(2), false)
	f.Add([]byte("0 0 HTTP/1.\nTransfer-Encoding: chunked\n\n"), []byte(""), []byte("0"), []byte("HTTP/1."), byte(9), byte(2), false)
	f.Fuzz(func(t *testing.T, a, b, c, d []byte, lost, cut byte, origin bool) {
		if len(b) > 512 || len(d) > 512 {
			return // a protocol may be told from more octets at once
		}
		steps := []step{midway(), up(string(a)), down(string(b)), {lost: uint64(lost)}, up(string(c)), down(string(d)), up(get), down(noContent), up(string(a)), downEnd()}
		if origin {
			steps[3].dir = 1
		}
		if diff := cmp.Diff(play(0, steps...), play(int(cut)+1, steps...)); diff != "" {
			t.Errorf("in pieces of %d (-whole +cut):\n%s", int(cut)+1, diff)
		}
	})
}
