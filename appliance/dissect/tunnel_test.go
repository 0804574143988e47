package dissect_test

import (
	"testing"

	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/decrypt/proto"
)

func TestHTTP2Tunnels(t *testing.T) {
	const upward, downward = proto.ClientToOrigin, proto.OriginToClient
	connect := func(fields ...string) *wire {
		return newWire().headers(upward, 1, false, append([]string{":method", "CONNECT", ":authority", "h"}, fields...)...)
	}
	socket := func() *wire {
		return connect(":scheme", "https", ":path", "/ws", ":protocol", "websocket")
	}
	run(t, []row{
		{"WebSocket", `request 1 CONNECT /ws h
			answer 1 200
			socket 2 > text=true of 1
			end 2 > complete 5 "hello"
			end 1 > complete 17
			socket 3 < text=true of 1
			end 3 < complete 9 "text text"
			end 1 < complete 11
			stop ended`, socket().headers(downward, 1, false, ":status", "200", "sec-websocket-extensions", "permessage-deflate").
			data(upward, 1, false, frame(0x01, true, "h"), 3).data(upward, 1, true, frame(0x80, true, "ello")[:10], 0).
			data(downward, 1, true, frame(0xc1, false, newSqueezer().message("text text")), 0).steps},
		{"WebSocket, refused", `request 1 CONNECT /ws h
			answer 1 403
			end 1 < complete 2 "no"
			end 1 > cut 0
			stop ended`, socket().headers(downward, 1, false, ":status", "403").data(downward, 1, true, "no", 0).steps},
		{"CONNECT", `request 1 CONNECT  h
			answer 1 200
			request 4294967297 GET /a?b h
			end 4294967297 > complete 0
			answer 4294967297 200
			end 4294967297 < complete 1 "x"
			request 2 GET / www.example.test
			end 2 > complete 0
			request 4294967298 GET /a?b h
			end 4294967298 > complete 0
			end 1 > cancelled 60
			end 4294967298 < cut 0
			end 1 < cancelled 39
			end 2 < cut 0
			stop ended`, connect().data(upward, 1, false, get, 0).headers(downward, 1, false, ":status", "200").data(downward, 1, false, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 0).
			get(3, "/").data(upward, 1, false, get, 0).reset(downward, 1).steps},
		{"gap in a tunnel", `request 1 CONNECT /ws h
			answer 1 200
			socket 2 > text=false of 1
			end 2 > complete 3-2 "??c"
			end 1 > cut 9-2
			end 1 < cut 0
			stop ended`, func() []step {
			w := socket().headers(downward, 1, false, ":status", "200").data(upward, 1, false, frame(0x82, true, "abc"), 0)
			last := w.steps[len(w.steps)-1].text
			return append(w.steps[:len(w.steps)-1], up(last[:9+1+6]), upLost(2), up(last[9+1+8:]))
		}()},
	})
}

// TestH2C: behind an upgrade, the request is stream 1.
func TestH2C(t *testing.T) {
	w := newWire().write(1, func(f *http2.Framer) error { return f.WriteSettings() }).headers(1, 1, false, ":status", "200").data(1, 1, true, "x", 0).get(3, "/more")
	ask := []step{up("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAABAA\r\n\r\n")}
	granted := down("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n")
	const want = `request 1 GET / h
			end 1 > complete 0
			answer 1 200
			end 1 < complete 1 "x"
			request 2 GET /more www.example.test
			end 2 > complete 0
			end 2 < cut 0
			stop ended`
	preface := w.steps[0]
	run(t, []row{
		{"granted", want, append(append(ask, granted), w.steps...)},
		{"preface before the answer", want, append(append(ask, preface, granted), w.steps[1:]...)},
	})
}
