package dissect_test

import (
	"bytes"
	"testing"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// counter counts contents and keeps nothing.
type counter struct{ octets, lost uint64 }

func (*counter) Event(dissect.Event) {}
func (c *counter) Content(_ *dissect.Exchange, _ proto.Direction, p []byte) {
	c.octets += uint64(len(p))
}
func (c *counter) Hole(_ *dissect.Exchange, _ proto.Direction, n uint64) { c.lost += n }

// TestContentAllocatesNothing: contents are handed out by reference.
func TestContentAllocatesNothing(t *testing.T) {
	text := bytes.Repeat([]byte("some content, as it may be\r\n"), 2000)
	w := newWire().get(1, "/").headers(proto.OriginToClient, 1, false, ":status", "200")
	stream := newWire().data(proto.OriginToClient, 1, false, string(text[:16000]), 9).steps[1].text
	for _, tt := range []struct {
		name  string
		begin []step
		dir   proto.Direction
		chunk []byte
		n     int // octets of content in chunk
	}{
		{"length", []step{up(get), down("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")}, proto.OriginToClient, text, len(text)},
		{"chunks", []step{up(get), down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")}, proto.OriginToClient, append([]byte("3e80\r\n"), append(text[:16000:16000], "\r\n"...)...), 16000},
		{"HTTP/2", w.steps, proto.OriginToClient, []byte(stream), 16000},
		{"SMTP", []step{down("220 ESMTP\r\n"), up("MAIL FROM:<a@b>\r\nDATA\r\n"), down("354 go\r\n"), up("Subject: x\r\n\r\n")}, proto.ClientToOrigin, text, len(text)},
		{"IMAP fetch", []step{down("* OK\r\n"), up("a FETCH 1 BODY[]\r\n"), down("* 1 FETCH (BODY[] {99999999}\r\nSubject: x\r\n\r\n")}, proto.OriginToClient, text, len(text)},
		{"IMAP append", []step{down("* OK\r\n"), up("a APPEND x {99999999+}\r\nSubject: x\r\n\r\n")}, proto.ClientToOrigin, text, len(text)},
		{"WebSocket", []step{up("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), down("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n\r\n")}, proto.ClientToOrigin, []byte(frame(0x82, true, string(text[:16000]))), 16000},
		{"POP3", []step{down("+OK\r\n"), up("RETR 1\r\n"), down("+OK\r\nSubject: x\r\n\r\n")}, proto.OriginToClient, text, len(text)},
	} {
		var c counter
		d := dissect.New(&c, &c)
		for _, st := range tt.begin {
			d.Data(st.dir, []byte(st.text))
		}
		before := c.octets
		if n := testing.AllocsPerRun(100, func() { d.Data(tt.dir, tt.chunk); d.Gap(tt.dir, 0) }); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
		if got := c.octets - before; got != 101*uint64(tt.n) {
			t.Errorf("%s: %d octets of content, want %d", tt.name, got, 101*tt.n)
		}
	}
}

// TestBrief: a sink that needs no more than the number of requests gets it.
func TestBrief(t *testing.T) {
	w := newWire()
	for i := range uint32(10) {
		w.get(2*i+1, "/").headers(proto.OriginToClient, 2*i+1, true, ":status", "200")
	}
	requests, others := 0, 0
	var d *dissect.Session
	d = dissect.New(sinkFunc(func(e dissect.Event) {
		if r, ok := e.(*dissect.Request); !ok {
			others++
		} else if requests++; requests == 3 {
			d.Brief()
		} else if requests > 3 && r.Exchange != nil {
			t.Error("a request of a brief session has an exchange")
		}
	}), nil)
	feed(d, 0, w.steps...)
	if requests != 10 || others != 7 { // two exchanges with answer and ends, and the stop
		t.Errorf("%d requests, %d other events", requests, others)
	}
}
