package dissect_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unlike fails if events depend on where octets were cut.
func unlike(t *testing.T, cut byte, steps []step) {
	t.Helper()
	if diff := cmp.Diff(play(0, steps...), play(int(cut)+1, steps...)); diff != "" {
		t.Errorf("in pieces of %d (-whole +cut):\n%s", int(cut)+1, diff)
	}
}

// FuzzWebsocket: nothing that stands behind a handshake breaks the reader.
func FuzzWebsocket(f *testing.F) {
	z := newSqueezer()
	f.Add([]byte(frame(0x01, true, "he")+frame(0x89, true, "")), []byte(frame(0x80, true, "llo")), []byte(frame(0xc1, false, z.message("text"))+frame(0xc1, false, z.message("text"))), byte(0), byte(3), true)
	f.Add([]byte(frame(0x82, true, "abcdef")[:8]), []byte("ef"), []byte(frame(0x88, false, "\x03\xe8")), byte(4), byte(1), false)
	f.Fuzz(func(t *testing.T, a, b, origin []byte, lost, cut byte, alone bool) {
		extension := "permessage-deflate"
		if alone {
			extension += "; client_no_context_takeover; server_no_context_takeover"
		}
		unlike(t, cut, []step{
			up("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), down("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: " + extension + "\r\n\r\n"),
			up(string(a)), upLost(uint64(lost)), up(string(b)), down(string(origin)),
		})
	})
}

// FuzzMailbox: nothing that a server of IMAP sends breaks the reader, deflated or not.
func FuzzMailbox(f *testing.F) {
	f.Add([]byte("a FETCH 1 (BODY[2]<0.2>)\r\n"), []byte("* 1 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"A\" {1}\r\n\") NIL NIL \"7BIT\" 1 1) \"MIXED\") BODY[2.MIME] {4}\r\n\r\n\r\n BODY[2]<0> {2}\r\nxx BODY[TEXT] \"a\")\r\n"), byte(0), byte(2), false)
	f.Add([]byte("c APPEND x {1+}\r\ny\r\n"), []byte("* 1 FETCH (RFC822.SIZE 4 BODY[]<0> {2}\r\nxy)\r\n* 1 FETCH (BODY[]<2> {2}\r\nzz)\r\n* 2 EXPUNGE\r\n"), byte(1), byte(2), true)
	f.Add([]byte("A02(789{1+}\r\nB"), []byte("R00\n* FETCH (BODY[] \"00\n0"), byte(1), byte(2), true)
	f.Fuzz(func(t *testing.T, client, origin []byte, lost, cut byte, compressed bool) {
		steps := []step{down("* OK\r\n"), up("z COMPRESS DEFLATE\r\n"), down("z NO\r\n")}
		say := func(p []byte) string { return string(p) }
		if compressed {
			steps[2] = down("z OK\r\n")
			say = func(p []byte) string { return newSqueezer().flushed(string(p)) }
		}
		n := len(origin) / 2
		whole := say(origin)
		if !compressed {
			unlike(t, cut, append(steps, up(say(client)), down(whole[:n]), downLost(uint64(lost)), down(whole[n:]), downEnd()))
			return
		}
		unlike(t, cut, append(steps, up(say(client)), down(whole), downEnd()))
	})
}

// FuzzHTTP2: nothing in the frames of two streams breaks the reader: one has a tunnel, and one
// WebSocket.
func FuzzHTTP2(f *testing.F) {
	f.Add([]byte(frame(0x82, true, "abc")), []byte(get), []byte("HTTP/1.1 200 OK\r\n\r\nx"), byte(3), true)
	f.Fuzz(func(t *testing.T, a, b, c []byte, cut byte, early bool) {
		if len(a)+len(b) > 16000 || len(c) > 500 {
			return
		}
		w := newWire().headers(0, 1, false, ":method", "CONNECT", ":protocol", "websocket").headers(0, 3, false, ":method", "CONNECT")
		if early {
			w.data(0, 3, false, string(b), 0)
		}
		w.headers(1, 1, false, ":status", "200").headers(1, 3, false, ":status", "200").data(0, 1, false, string(a), 2)
		if !early {
			w.data(0, 3, true, string(b), 0)
		}
		unlike(t, cut, w.data(1, 3, false, string(c), 0).data(1, 1, true, string(a), 0).steps)
	})
}
