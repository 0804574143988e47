package rowstest

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/websocket"
)

// socketFrame is a frame, masked if a client sends it. first is its first octet.
func socketFrame(from proto.Direction, first byte, payload []byte) []byte {
	var key *[4]byte
	if from == up {
		key = &[4]byte{0x37, 0xfa, 0x21, 0x3d}
	}
	p := websocket.AppendFrame(nil, websocket.Binary, key, payload)
	p[0] = first
	return p
}

// squeezed are messages that are deflated one behind the other (RFC 7692).
func squeezed(messages ...[]byte) (list [][]byte) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.DefaultCompression)
	for _, m := range messages {
		b.Reset()
		w.Write(m)
		w.Flush()
		list = append(list, bytes.TrimSuffix(bytes.Clone(b.Bytes()), []byte("\x00\x00\xff\xff")))
	}
	return list
}

// socket begins a connection of WebSocket.
func socket(extensions string) []Step {
	return []Step{
		say(up, "GET /chat HTTP/1.1\r\nHost: ws.example.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
		say(down, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"+extensions+"\r\n"),
	}
}

func socketRows() []Row {
	const deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	named := Octets("socket json", 30_000)
	message := []byte(`{"type":"file","name":"` + japaneseName + `","data":"` + base64.StdEncoding.EncodeToString(named) + `"}`)
	binary := Octets("socket binary", 90_000)
	first, second := prose("socket first", 1000), prose("socket second", 900)
	both := squeezed(first, second, first)
	tunnelled := Octets("socket in a tunnel", 20_000)
	lost := Octets("socket lost", 40_000)
	copy(lost[10_000:12_000], make([]byte, 2000))
	torn := Octets("torn chunks", 40_000)
	const atHole, hole = 10_000, 9000 - 2*(4+6+2+2) // two chunks begin in what is lost
	copy(torn[atHole:atHole+hole], make([]byte, hole))
	inChunks := append([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), chunked(torn, 4096)...)
	const before = 47 + 3*(4+6+2) + 2*2
	chunkedHead, chunkedRest := inChunks[:before+atHole], inChunks[before+atHole+9000:]
	whole := socketFrame(up, 0x82, lost)
	const head = 2 + 2 + 4
	return []Row{
		{Name: "websocket json", Talks: []Talk{{Steps: append(socket(""), say(up, string(socketFrame(up, 0x81, message))), say(up, string(socketFrame(up, 0x89, []byte("ping")))))}}, Files: []File{{Name: japaneseName, Octets: named}}},
		{Name: "websocket fragments", Talks: []Talk{{Steps: append(socket(""), say(up, string(socketFrame(up, 0x02, binary[:30_000]))), say(up, string(socketFrame(up, 0x8a, nil))),
			say(up, string(socketFrame(up, 0x00, binary[30_000:70_000]))), say(up, string(socketFrame(up, 0x80, binary[70_000:]))))}}, Files: []File{{Octets: binary}}},
		{Name: "websocket deflated", Talks: []Talk{{Steps: append(socket(deflate), say(down, string(socketFrame(down, 0xc2, both[0]))), say(down, string(socketFrame(down, 0x42, both[1][:99]))), say(down, string(socketFrame(down, 0x80, both[1][99:]))),
			say(down, string(socketFrame(down, 0xc2, both[2]))))}}, Files: []File{{Octets: first, Received: true}, {Octets: second, Received: true}}},
		{Name: "websocket lost octets", Talks: []Talk{{Steps: append(socket(""), Step{From: up, Octets: whole[:head+10_000], Lose: 2000}, Step{From: up, Octets: whole[head+12_000:]})}}, Files: []File{{Octets: lost, Holes: 1}}},
		{Name: "websocket in a tunnel", Talks: []Talk{{Steps: append([]Step{say(up, "CONNECT ws.example.test:80 HTTP/1.1\r\nHost: ws.example.test:80\r\n\r\n"), say(down, "HTTP/1.1 200 Connection established\r\n\r\n")},
			append(socket(""), say(up, string(socketFrame(up, 0x82, tunnelled))))...)}}, Files: []File{{Octets: tunnelled}}},
		{Name: "connect and put", Talks: []Talk{{Steps: []Step{say(up, "CONNECT files.example.test:80 HTTP/1.1\r\nHost: files.example.test:80\r\n\r\n"), say(down, "HTTP/1.0 200 OK\r\n\r\n"),
			say(up, "PUT /in/plan.bin HTTP/1.1\r\nHost: files.example.test\r\nContent-Length: 20000\r\n\r\n"+string(tunnelled)), say(down, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")}}}, Files: []File{{Name: "plan.bin", Octets: tunnelled}}},
		{Name: "http chunked lost octets", Talks: []Talk{{Steps: []Step{get("/chunks.bin"), {From: down, Octets: chunkedHead, Lose: 9000}, say(down, string(chunkedRest))}}}, Files: []File{{Name: "chunks.bin", Octets: torn, Received: true, Holes: 1}}},
		{Name: "http behind a gap", Talks: []Talk{{Steps: []Step{get("/gone.bin"), {From: down, Octets: []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + strings.Repeat("x", 2000)), Lose: 3000}, say(down, strings.Repeat("x", 500)+"\r\n0\r\n\r\n"),
			get("/b.bin"), ok("", tunnelled)}}}, Files: []File{{Name: "b.bin", Octets: tunnelled, Received: true}}},
	}
}
