package rowstest

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// frames makes the steps of a connection of HTTP/2.
type frames struct {
	steps  []Step
	blocks [2]bytes.Buffer
	coders [2]*hpack.Encoder
}

// newFrames returns a connection that has begun.
func newFrames() *frames {
	f := new(frames)
	for dir := range f.coders {
		f.coders[dir] = hpack.NewEncoder(&f.blocks[dir])
	}
	return f.add(up, http2.AppendSettings([]byte(http2.Preface))).add(down, http2.AppendSettings(nil)).add(up, http2.AppendSettingsACK(nil))
}

func (f *frames) add(from proto.Direction, octets []byte) *frames {
	f.steps = append(f.steps, Step{From: from, Octets: octets})
	return f
}

// head adds a header block of fields "name: value".
func (f *frames) head(from proto.Direction, stream uint32, end bool, fields ...string) *frames {
	for _, field := range fields {
		name, value, _ := strings.Cut(field[1:], ": ")
		f.coders[from].WriteField(hpack.HeaderField{Name: field[:1] + name, Value: value})
	}
	block := bytes.Clone(f.blocks[from].Bytes())
	f.blocks[from].Reset()
	return f.add(from, http2.AppendHeaders(nil, stream, end, block))
}

// request adds the head of one.
func (f *frames) request(stream uint32, end bool, method, path string, fields ...string) *frames {
	return f.head(up, stream, end, append([]string{":method: " + method, ":scheme: https", ":authority: files.example.test", ":path: " + path}, fields...)...)
}

// data adds content in frames of that size.
func (f *frames) data(from proto.Direction, stream uint32, end bool, size int, body []byte) *frames {
	for len(body) > size {
		f.add(from, http2.AppendData(nil, stream, false, body[:size]))
		body = body[size:]
	}
	return f.add(from, http2.AppendData(nil, stream, end, body))
}

// row returns the row of the connection.
func (f *frames) row(name string, files ...File) Row {
	return Row{Name: name, Talks: []Talk{{Steps: f.steps}}, Files: files}
}

func http2Rows() []Row {
	const multipart = "content-type: multipart/form-data; boundary=" + boundary
	got, put, formed, a, b := Octets("h2 get", 90_000), Octets("h2 put", 90_000), Octets("h2 form", 60_000), Octets("h2 a", 50_000), Octets("h2 b", 40_000)
	packed := prose("h2 br", 3000)
	body := form(part("Content-Disposition: form-data; name=\"upload\"; filename=\""+japaneseName+"\"", formed))
	lost := Octets("h2 lost", 16_000)
	copy(lost[5000:8000], make([]byte, 3000))
	frame := http2.AppendData(nil, 1, true, lost)
	gap := newFrames().request(1, false, "PUT", "/in/lost.bin")
	gap.steps = append(gap.steps, Step{From: up, Octets: frame[:http2.HeaderLength+5000], Lose: 3000}, Step{From: up, Octets: frame[http2.HeaderLength+8000:]})

	both := newFrames().request(1, true, "GET", "/a.bin").request(3, true, "GET", "/b.bin").head(down, 3, false, ":status: 200").head(down, 1, false, ":status: 200")
	for at := 0; at < 50_000; at += 10_000 {
		both.data(down, 1, at == 40_000, 1<<14, a[at:at+10_000])
		if at < 40_000 {
			both.data(down, 3, at == 30_000, 1<<14, b[at:at+10_000])
		}
	}
	up2c := newFrames()
	up2c.steps = append([]Step{say(up, "GET /a.bin HTTP/1.1\r\nHost: files.example.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"),
		say(down, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")}, up2c.steps...)

	socketed := Octets("h2 socket", 30_000)
	connect := newFrames().request(1, false, "CONNECT", "/chat", ":protocol: websocket").head(down, 1, false, ":status: 200").data(up, 1, false, 1<<14, socketFrame(up, 0x82, socketed))
	return []Row{
		newFrames().request(1, true, "GET", "/pub/report.pdf").head(down, 1, false, ":status: 200", "content-type: application/pdf").data(down, 1, true, 1<<14, got).row("http2 get", File{Name: "report.pdf", Octets: got, Received: true}),
		newFrames().request(1, false, "PUT", "/in/disk.img").data(up, 1, true, 5000, put).head(down, 1, true, ":status: 201").row("http2 put", File{Name: "disk.img", Octets: put}),
		newFrames().request(1, false, "POST", "/up", multipart, fmt.Sprintf("content-length: %d", len(body))).data(up, 1, true, 1<<14, body).head(down, 1, true, ":status: 204").row("http2 form", File{Name: japaneseName, Octets: formed}),
		newFrames().request(1, true, "GET", "/notes.txt").head(down, 1, false, ":status: 200", "content-type: text/plain", "content-encoding: br").data(down, 1, false, 1<<14, coded("br", packed)).head(down, 1, true, "x-trailer: yes").row("http2 br", File{Name: "notes.txt", Octets: packed, Received: true}),
		both.row("http2 two at a time", File{Name: "a.bin", Octets: a, Received: true}, File{Name: "b.bin", Octets: b, Received: true}),
		gap.row("http2 lost octets", File{Name: "lost.bin", Octets: lost, Holes: 1}),
		up2c.head(down, 1, false, ":status: 200").data(down, 1, true, 1<<14, a).row("http2 by upgrade", File{Name: "a.bin", Octets: a, Received: true}),
		connect.row("http2 websocket", File{Octets: socketed}),
	}
}
