package dissect_test

import (
	"bytes"
	"compress/flate"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/websocket"
)

// frame returns a frame of a client (masked) or a server, with a first octet of its own.
func frame(first byte, masked bool, payload string) string {
	var key *[4]byte
	if masked {
		key = &[4]byte{1, 0xfe, 0x37, 0x80}
	}
	p := websocket.AppendFrame(nil, websocket.Binary, key, []byte(payload))
	p[0] = first
	return string(p)
}

// squeezer deflates messages as RFC 7692 has it.
type squeezer struct {
	out bytes.Buffer
	w   *flate.Writer
}

func newSqueezer() *squeezer {
	z := new(squeezer)
	z.w, _ = flate.NewWriter(&z.out, flate.BestCompression)
	return z
}

func (z *squeezer) message(text string) string {
	z.out.Reset()
	z.w.Write([]byte(text))
	z.w.Flush()
	return strings.TrimSuffix(z.out.String(), "\x00\x00\xff\xff")
}

// flushed deflates octets as IMAP does.
func (z *squeezer) flushed(text string) string { return z.message(text) + "\x00\x00\xff\xff" }

func TestWebsocket(t *testing.T) {
	hello := func(extensions string) []step {
		if extensions != "" {
			extensions = "Sec-WebSocket-Extensions: " + extensions + "\r\n"
		}
		return []step{
			up("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
			down("HTTP/1.1 101 Switching\r\nUpgrade: WebSocket\r\n" + extensions + "\r\n"),
		}
	}
	const begin = "request 1 GET /ws h\n end 1 > complete 0\n answer 1 101\n end 1 < complete 0\n"
	const text = "a text that is long enough that it becomes shorter, shorter, shorter, shorter"
	z, z2, alone := newSqueezer(), newSqueezer(), []string{newSqueezer().message(text), newSqueezer().message(text)}
	one, two, three := z.message(text), z.message(text), z2.message(text)
	if len(two) >= len(one) {
		t.Fatal("the second message does not refer to the first")
	}
	run(t, []row{
		{"both directions, fragments and controls", begin + `socket 2 > text=true of 1
			end 2 > complete 5 "hello"
			socket 3 < text=false of 1
			end 3 < complete 2 "ab"
			socket 4 > text=false of 1
			end 4 > complete 0
			stop ended`, append(hello(""), up(frame(0x01, true, "he")+frame(0x89, true, "ping")+frame(0x00, true, "")+frame(0x80, true, "llo")),
			down(frame(0x8a, false, "ping")+frame(0x02, false, "a")), down(frame(0x80, false, "b")), up(frame(0x82, true, "")+frame(0x88, true, "\x03\xe8")), up("more"), down(frame(0x88, false, "")))},
		{"long", begin + `socket 2 > text=false of 1
			end 2 > complete 70000 "` + strings.Repeat("x", 70000) + `"
			stop ended`, append(hello(""), up(frame(0x82, true, strings.Repeat("x", 70000))))},
		{"before the answer", begin + `socket 2 > text=true of 1
			end 2 > complete 1 "a"
			stop ended`, []step{hello("")[0], up(frame(0x81, true, "a")), hello("")[1]}},
		{"deflated with what was before", begin + `socket 2 > text=true of 1
			end 2 > complete 77 "` + text + `"
			socket 3 > text=true of 1
			end 3 > complete 77 "` + text + `"
			socket 4 < text=true of 1
			end 4 < complete 77 "` + text + `"
			socket 5 < text=true of 1
			end 5 < complete 1 "x"
			stop ended`, append(hello("permessage-deflate; server_max_window_bits=15"), up(frame(0x41, true, one[:9])+frame(0x80, true, one[9:])+frame(0xc1, true, two)), down(frame(0xc1, false, three)+frame(0x81, false, "x")))},
		{"deflated, each alone", begin + `socket 2 > text=true of 1
			end 2 > lost 6-6 "??????"
			socket 3 > text=true of 1
			end 3 > complete 77 "` + text + `"
			socket 4 > text=true of 1
			end 4 > complete 77 "` + text + `"
			stop ended`, append(hello("x, permessage-deflate;client_no_context_takeover"), up(frame(0xc1, true, alone[0])[:6]), upLost(6), up(frame(0xc1, true, alone[0])[12:]), up(frame(0xc1, true, alone[1])+frame(0xc1, true, alone[1])))},
		{"deflated, and the window is lost", begin + `socket 2 > text=true of 1
			end 2 > lost 6-6 "??????"
			socket 3 > text=true of 1
			end 3 > unread 0
			socket 4 < text=true of 1
			end 4 < complete 1 "x"
			stop ended`, append(hello("permessage-deflate"), up(frame(0xc1, true, one)[:6]), upLost(6), up(frame(0xc1, true, one)[12:]), up(frame(0xc1, true, two)), down(frame(0x81, false, "x")))},
		{"gap", begin + `socket 2 > text=false of 1
			end 2 > complete 6-3 "a???ef"
			socket 3 > text=false of 1
			end 3 > lost 6-6 "??????"
			socket 4 < text=true of 1
			end 4 < complete 1 "x"
			stop gap`, append(hello(""), up(frame(0x82, true, "abcdef")[:7]), upLost(3), up("\x64\x98"), up(frame(0x82, true, "abcdef")[:6]), upLost(7), up(frame(0x82, true, "a")), down(frame(0x81, false, "x")))},
		{"broken", begin + `socket 2 < text=true of 1
			end 2 < complete 1 "x"
			socket 3 < text=true of 1
			end 3 < cut 1 "y"
			stop broken`, append(hello(""), up(frame(0xc1, true, one)), down(frame(0x81, false, "x")), down(frame(0x81, false, "yz")[:3]), downEnd())},
	})
}

func TestTunnel(t *testing.T) {
	const begin = "request 1 CONNECT  h\n end 1 > complete 0\n answer 1 200\n end 1 < complete 0\n"
	hello := []step{up("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"), down("HTTP/1.1 200 OK\r\n\r\n")}
	run(t, []row{
		{"HTTP within", begin + `request 2 GET /a?b h
			end 2 > complete 0
			answer 2 200
			end 2 < complete 1 "x"
			stop ended`, append(hello, up(get), down("HTTP/1.1 200 OK\r\n\r\nx"), downEnd())},
		{"mail within, the greeting with the answer", begin + `sender <a@b>
			stop ended`, append(hello[:1:1], down("HTTP/1.1 200 OK\r\n\r\n220 mail ESMTP\r\n"), up("EHLO x\r\n"), down("250 x\r\n"), up("MAIL FROM:<a@b>\r\n"))},
		{"a client that does not wait", begin + `request 2 GET /a?b h
			end 2 > complete 0
			end 2 < cut 0
			stop ended`, []step{hello[0], up(get), hello[1]}},
		{"a client that does not wait, refused", `request 1 CONNECT  h
			end 1 > complete 0
			answer 1 407
			request 2 GET /a?b h
			end 2 > complete 0
			end 1 < complete 0
			answer 2 204
			end 2 < complete 0
			stop ended`, []step{hello[0], up(get), down("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), down("HTTP/1.1 204 No\r\n\r\n")}},
		{"a part of a greeting with the answer", begin + `login USER bob granted
			stop ended`, append(hello[:1:1], down("HTTP/1.1 200 OK\r\n\r\n220 "), down("FTP\r\n"), up("USER bob\r\n"), down("230 in\r\n"))},
		{"something else", begin + `stop upgraded`, append(hello, up("\x00\x01\x02\x03\x04\x05\x06\x07\x08"))},
		{"an upgrade that is not taken", `request 1 GET / h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 1 "x"
			request 2 GET /a?b h
			end 2 > complete 0
			end 2 < cut 0
			stop ended`, []step{up("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n"), down("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), up(get)}},
	})
}
