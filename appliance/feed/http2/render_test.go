package http2

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/mirror"
)

const (
	get  = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n"
	ok   = "HTTP/1.1 200 OK\r\n"
	zero = ok + "content-length: 0\r\n\r\n"
)

// TestRendering has one row for each shape of an exchange.
func TestRendering(t *testing.T) {
	post := []string{":method", "POST", ":scheme", "https", ":authority", "a.test", ":path", "/p"}
	socket := []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "a.test", ":path", "/chat"}
	with := func(fields []string, more ...string) []string { return append(append([]string{}, fields...), more...) }
	for _, tt := range []struct {
		name string
		wire func(w *wire)
		want [][]string
		lost map[string][2]uint64
		more uint64 // Replaced
	}{
		{"no stream", func(w *wire) {}, nil, nil, 0},
		{"request and answer without content", func(w *wire) {
			w.get(1, "/", "User-Agent", "x", "cookie", "a=1", "accept", "*/*", "cookie", "b=2").headers(down, 1, true, ":status", "200")
		}, [][]string{{"GET / HTTP/1.1\r\nhost: a.test\r\nUser-Agent: x\r\ncookie: a=1; b=2\r\naccept: */*\r\n\r\n", zero}}, nil, 0},
		{"content with a length", func(w *wire) {
			w.headers(up, 1, false, with(post, "content-length", "5")...).data(up, 1, false, "he").data(up, 1, true, "llo")
			w.headers(down, 1, false, ":status", "404", "content-length", "3").data(down, 1, true, "no!")
		}, [][]string{{"POST /p HTTP/1.1\r\nhost: a.test\r\ncontent-length: 5\r\n\r\nhello", "HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nno!"}}, nil, 0},
		{"content in chunks, padded and empty frames", func(w *wire) {
			w.headers(up, 1, false, post...).data(up, 1, false, "hello").data(up, 1, false, "").data(up, 1, true, "")
			w.headers(down, 1, false, ":status", "200")
			w.frames(down, func(f *http2.Framer) { f.WriteDataPadded(1, false, []byte("0123456789abcdef"), make([]byte, 200)) })
			w.frames(down, func(f *http2.Framer) { f.WriteDataPadded(1, true, nil, make([]byte, 3)) })
		}, [][]string{{"POST /p HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			ok + "transfer-encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"}}, nil, 0},
		{"gRPC", func(w *wire) {
			w.headers(up, 1, false, with(post, "te", "trailers", "content-type", "application/grpc")...).data(up, 1, true, "\x00\x00\x00\x00\x02hi")
			w.headers(down, 1, false, ":status", "200", "content-type", "application/grpc").data(down, 1, false, "\x00\x00\x00\x00\x02ho")
			w.headers(down, 1, true, "grpc-status", "0", "grpc-message", "fine")
		}, [][]string{{"POST /p HTTP/1.1\r\nhost: a.test\r\nte: trailers\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n7\r\n\x00\x00\x00\x00\x02hi\r\n0\r\n\r\n",
			ok + "content-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n7\r\n\x00\x00\x00\x00\x02ho\r\n0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n"}}, nil, 0},
		{"trailers announced beside a length", func(w *wire) {
			w.get(1, "/").headers(down, 1, false, ":status", "200", "content-length", "2", "trailer", "sum").data(down, 1, false, "hi").headers(down, 1, true, "sum", "5")
		}, [][]string{{get, ok + "x-http2-content-length: 2\r\ntrailer: sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nsum: 5\r\n\r\n"}}, nil, 1},
		{"trailers behind a length", func(w *wire) {
			w.get(1, "/").headers(down, 1, false, ":status", "200", "content-length", "2").data(down, 1, false, "hi").headers(down, 1, true, "sum", "5")
		}, [][]string{{get, ok + "content-length: 2\r\n\r\nhi"}}, map[string][2]uint64{ReasonTrailers: {0, 16}}, 0},
		{"more than the length", func(w *wire) {
			w.get(1, "/").headers(down, 1, false, ":status", "200", "content-length", "2").data(down, 1, true, "hidden")
		}, [][]string{{get, ok + "content-length: 2\r\n\r\nhi"}}, map[string][2]uint64{ReasonExcess: {0, 4}}, 0},
		{"interim answers", func(w *wire) {
			w.get(1, "/").headers(down, 1, false, ":status", "103", "link", "</a>").headers(down, 1, true, ":status", "204")
		}, [][]string{{get, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"}}, nil, 0},
		{"HEAD", func(w *wire) {
			w.headers(up, 1, true, ":method", "HEAD", ":scheme", "https", ":authority", "a.test", ":path", "/")
			w.headers(down, 1, false, ":status", "200", "content-length", "99").data(down, 1, true, "")
		}, [][]string{{"HEAD / HTTP/1.1\r\nhost: a.test\r\n\r\n", ok + "content-length: 99\r\n\r\n"}}, nil, 0},
		{"not modified", func(w *wire) {
			w.get(1, "/").headers(down, 1, true, ":status", "304", "content-length", "99")
		}, [][]string{{get, "HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n"}}, nil, 0},
		{"CONNECT", func(w *wire) {
			w.headers(up, 1, false, ":method", "CONNECT", ":authority", "b.test:22").headers(down, 1, false, ":status", "200")
			w.data(down, 1, false, "SSH-2.0-a").data(up, 1, false, "SSH-2.0-b").data(up, 1, true, "").data(down, 1, true, "x")
		}, [][]string{{"CONNECT b.test:22 HTTP/1.1\r\nhost: b.test:22\r\n\r\nSSH-2.0-b", ok + "\r\nSSH-2.0-ax"}}, nil, 0},
		{"CONNECT refused", func(w *wire) {
			w.headers(up, 1, false, ":method", "CONNECT", ":authority", "b.test:22").headers(down, 1, true, ":status", "403").data(up, 1, true, "late")
		}, [][]string{{"CONNECT b.test:22 HTTP/1.1\r\nhost: b.test:22\r\n\r\n", "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"}}, map[string][2]uint64{ReasonExcess: {4, 0}}, 0},
		{"WebSocket", func(w *wire) {
			w.headers(up, 1, false, with(socket, "sec-websocket-version", "13")...).headers(down, 1, false, ":status", "200")
			w.data(up, 1, false, "\x81\x80mask").data(down, 1, true, "\x88\x00").data(up, 1, true, "")
		}, [][]string{{"GET /chat HTTP/1.1\r\nhost: a.test\r\nsec-websocket-version: 13\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: " + webSocketKey(1) + "\r\n\r\n\x81\x80mask",
			"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: " + webSocketAccept(webSocketKey(1)) + "\r\n\r\n\x88\x00"}}, nil, 0},
		{"promise", func(w *wire) {
			w.get(1, "/")
			block := w.encode(down, ":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/style")
			w.frames(down, func(f *http2.Framer) {
				f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: block[:3], PadLength: 4})
				f.WriteContinuation(1, true, block[3:])
			})
			w.headers(down, 1, true, ":status", "200").headers(down, 2, false, ":status", "200", "content-length", "3").data(down, 2, true, "css")
		}, [][]string{{get, zero}, {"GET /style HTTP/1.1\r\nhost: a.test\r\n\r\n", ok + "content-length: 3\r\n\r\ncss"}}, nil, 0},
		{"padding, priority, continuation and other frames", func(w *wire) {
			block := w.encode(up, ":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/", "x", strings.Repeat("y", 40))
			w.frames(up, func(f *http2.Framer) {
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block[:2], EndStream: true, PadLength: 9, Priority: http2.PriorityParam{StreamDep: 1, Weight: 3}})
				f.WriteContinuation(3, false, nil)
				f.WriteContinuation(3, true, block[2:])
				f.WritePriority(3, http2.PriorityParam{StreamDep: 5})
				f.WriteWindowUpdate(0, 99)
				f.WritePing(false, [8]byte{})
				f.WriteRawFrame(0xee, 0xff, 3, []byte("unheard of"))
			})
			w.headers(down, 3, true, ":status", "200")
		}, [][]string{{"GET / HTTP/1.1\r\nhost: a.test\r\nx: " + strings.Repeat("y", 40) + "\r\n\r\n", zero}}, nil, 0},
		{"reset by the client, content on its way", func(w *wire) {
			w.get(1, "/").headers(down, 1, false, ":status", "200").data(down, 1, false, "some").rst(up, 1).data(down, 1, true, "more")
		}, [][]string{{get, ok + "transfer-encoding: chunked\r\n\r\n4\r\nsome", "R"}}, map[string][2]uint64{mirror.ReasonEnded: {0, 13}}, 0},
		{"reset by the origin while a frame comes", func(w *wire) {
			w.headers(up, 1, false, post...)
			w.raw(up, "\x00\x00\x06\x00\x01\x00\x00\x00\x01abc").rst(down, 1).raw(up, "def")
		}, [][]string{{"POST /p HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n6\r\nabc", "", "R"}}, map[string][2]uint64{mirror.ReasonEnded: {3, 0}}, 0},
		{"GOAWAY", func(w *wire) {
			w.get(1, "/").get(3, "/")
			w.frames(down, func(f *http2.Framer) { f.WriteGoAway(1, http2.ErrCodeNo, []byte("restart")) })
			w.headers(down, 1, true, ":status", "200")
		}, [][]string{{get, zero}, {get, "", "R"}}, nil, 0},
		{"session ends", func(w *wire) {
			w.get(1, "/").headers(down, 1, false, ":status", "200").raw(down, "\x00\x00\x06\x00\x01\x00\x00\x00\x01abc").end(down).end(up)
		}, [][]string{{get, ok + "transfer-encoding: chunked\r\n\r\n6\r\nabc"}}, nil, 0},
		{"session is reset", func(w *wire) { w.get(1, "/").reset(down) }, [][]string{{get, "", "R"}}, nil, 0},
		{"host field in place of an authority", func(w *wire) {
			w.headers(up, 1, true, ":method", "GET", ":scheme", "https", ":path", "/", "Host", "a.test", "host", "b.test").headers(down, 1, true, ":status", "200", "host", "c")
		}, [][]string{{"GET / HTTP/1.1\r\nhost: a.test\r\nx-http2-host: b.test\r\n\r\n", ok + "host: c\r\ncontent-length: 0\r\n\r\n"}}, nil, 1},
		{"OPTIONS", func(w *wire) {
			w.headers(up, 1, true, ":method", "OPTIONS", ":scheme", "https", ":authority", "a.test", ":path", "*").headers(down, 1, true, ":status", "200")
		}, [][]string{{"OPTIONS * HTTP/1.1\r\nhost: a.test\r\n\r\n", zero}}, nil, 0},
		{"data before its header", func(w *wire) { w.get(1, "/").data(down, 1, true, "x") },
			[][]string{{get, ""}}, map[string][2]uint64{ReasonMalformed: {0, 1}}, 0},
		{"trailers that do not end", func(w *wire) {
			w.get(1, "/").headers(down, 1, false, ":status", "200").headers(down, 1, false, ":status", "200")
		}, [][]string{{get, ok + "transfer-encoding: chunked\r\n\r\n"}}, map[string][2]uint64{ReasonMalformed: {0, 10}}, 0},
		{"frames after END_STREAM", func(w *wire) {
			w.headers(up, 1, true, post...).data(up, 1, false, "x").headers(up, 1, true, "a", "b")
		}, [][]string{{"POST /p HTTP/1.1\r\nhost: a.test\r\n\r\n", ""}}, map[string][2]uint64{mirror.ReasonEnded: {1 + 9 + 5, 0}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire()
			tt.wire(w)
			r := check(t, w)
			if diff := cmp.Diff(tt.want, r.text()); diff != "" {
				t.Errorf("conversations (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.lost, r.account.Lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
			if r.report.Replaced != tt.more || r.report.RawReason != "" {
				t.Errorf("%d replaced, want %d; passed on for %q", r.report.Replaced, tt.more, r.report.RawReason)
			}
		})
	}
}
