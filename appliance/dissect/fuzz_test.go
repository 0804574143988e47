package dissect_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzSession: whatever two ends say and whatever is lost, nothing breaks, each
// exchange has its ends, and events and contents do not depend on where octets were
// cut.
func FuzzSession(f *testing.F) {
	f.Add([]byte("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"), false, byte(3), uint16(0), byte(0))
	f.Add([]byte("PUT /a HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789"), []byte("HTTP/1.1 200 OK\r\n\r\nhello"), false, byte(1), uint16(38), byte(4))
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 12 LAST\r\nSubject: x\r\n"), []byte("220 x ESMTP\r\n250 ok\r\n"), true, byte(5), uint16(0), byte(0))
	f.Add([]byte("a LOGIN {3+}\r\nbob x\r\nb APPEND x {14}\r\nSubject: x\r\n\r\n\r\nc UID FETCH 1 BODY[]\r\n"), []byte("* OK\r\na OK\r\n* 1 FETCH (BODY[] {4}\r\nx\r\n\r\n)\r\nc OK\r\n"), false, byte(2), uint16(60), byte(2))
	f.Add([]byte("USER bob\r\nPASS x\r\nRETR 1\r\nAUTH PLAIN\r\nAGEAYg==\r\n"), []byte("+OK\r\n+OK\r\n+OK\r\n+OK\r\nA: b\r\n\r\n.\r\n+\r\n+OK\r\n"), true, byte(1), uint16(0), byte(0))
	f.Add([]byte("USER bob\r\nPASS x\r\nRETR 1\r\nSTOR a b\r\n"), []byte("220-x\r\n220 x\r\n331 go\r\n230 ok\r\n150 go\r\n226 ok\r\n550 no\r\n"), true, byte(1), uint16(0), byte(0))
	f.Add([]byte("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"+frame(0x01, true, "ab")+frame(0x89, true, "")+frame(0xc0, true, "c")), []byte("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"+frame(0xc1, false, newSqueezer().message("text text"))), false, byte(4), uint16(50), byte(1))
	f.Add([]byte("GET / HTTP/1.1\r\nAuthorization: Negotiate "+ntlmWithin+"\r\nProxy-Authorization: Digest username=\"a\"\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\n\r\n"), false, byte(4), uint16(0), byte(0))
	f.Add([]byte("CONNECT a:1 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 204 OK\r\n\r\n"), false, byte(4), uint16(0), byte(0))
	f.Add([]byte("a FETCH 1 BODY[2]<0.2>\r\nb COMPRESS DEFLATE\r\n"+newSqueezer().flushed("c APPEND x {1+}\r\ny\r\n")),
		[]byte("* OK\r\n* 1 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"A\" {1}\r\n\") NIL NIL \"7BIT\" 1 1) \"MIXED\") BODY[2.MIME] {4}\r\n\r\n\r\n BODY[2]<0> {2}\r\nxx BODY[TEXT] \"a\")\r\nb OK\r\n"+newSqueezer().flushed("* 2 FETCH (BODY[] {1}\r\nx)\r\n")), true, byte(3), uint16(24), byte(0))
	w := newWire().request(1, "PUT", "/", false).headers(1, 1, false, ":status", "200").data(1, 1, true, "hello", 2).data(0, 1, true, "hello", 2)
	var both [2][]byte
	for _, st := range w.steps {
		both[st.dir] = append(both[st.dir], st.text...)
	}
	f.Add(both[0], both[1], false, byte(7), uint16(0), byte(0))
	w = newWire().headers(0, 1, false, ":method", "CONNECT", ":protocol", "websocket").headers(1, 1, false, ":status", "200").data(0, 1, false, frame(0x82, true, "abc"), 0)
	w.headers(0, 3, false, ":method", "CONNECT").headers(1, 3, false, ":status", "200").data(0, 3, false, get, 0).data(1, 3, true, "HTTP/1.1 200 OK\r\n\r\nx", 0)
	both = [2][]byte{}
	for _, st := range w.steps {
		both[st.dir] = append(both[st.dir], st.text...)
	}
	f.Add(both[0], both[1], false, byte(2), uint16(0), byte(0))
	f.Add(append([]byte("GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAABAA\r\n\r\n"), both[0]...), append([]byte("HTTP/1.1 101 OK\r\nUpgrade: h2c\r\n\r\n"), both[1]...), false, byte(2), uint16(0), byte(0))
	f.Add([]byte("T \x1c HTTP/"), []byte("0"), false, byte('\a'), uint16(102), byte('T'))
	f.Add([]byte("0 \x0e HTTP/"), []byte("0"), false, byte('\a'), uint16(102), byte('T'))
	f.Fuzz(func(t *testing.T, client, origin []byte, originFirst bool, cut byte, at uint16, lost byte) {
		n := min(int(at), len(client))
		steps := []step{up(string(client[:n])), upLost(uint64(lost)), up(string(client[n:])), down(string(origin)), downEnd()}
		if originFirst {
			steps = append(steps[3:4:4], steps[0], steps[1], steps[2], steps[4])
		}
		if originFirst && !bytes.HasPrefix(origin, []byte("220")) && !bytes.HasPrefix(origin, []byte("+OK")) && !bytes.HasPrefix(origin, []byte("* OK")) {
			return // an answer before its request
		}
		if len(client) > 16<<10 || len(origin) > 512 {
			return // a protocol may be told from more octets at once
		}
		whole := play(0, steps...)
		if diff := cmp.Diff(whole, play(int(cut)+1, steps...)); diff != "" {
			t.Errorf("in pieces of %d (-whole +cut):\n%s", int(cut)+1, diff)
		}
	})
}
