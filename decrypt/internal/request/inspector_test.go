package request

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// refuser refuses requests to evil.test, those with a path of /evil, and those in doubt.
type refuser struct {
	asked []string
	mute  bool
}

func (r *refuser) Judge(q *Request) Verdict {
	r.asked = append(r.asked, fmt.Sprintf("%s %s %s", q.Method, q.Host, q.Path))
	switch {
	case q.Broken, q.Doubt, bytes.HasPrefix(q.Path, []byte("/evil")):
		return Forbidden
	case bytes.EqualFold(q.Host, []byte("evil.test")):
		return Misdirected
	}
	return Pass
}

func (r *refuser) Answer(head []byte, status int) []byte {
	if r.mute {
		return nil
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status)
}

const (
	good = "GET /1 HTTP/1.1\r\nHost: good.test\r\n\r\n"
	evil = "GET /2 HTTP/1.1\r\nHost: evil.test\r\n\r\n"
	post = "POST /3 HTTP/1.1\r\nHost: good.test\r\nContent-Length: 4\r\n\r\nbody"
	ok   = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	told = "HTTP/1.1 421 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	page = "HTTP/1.1 403 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

// said gives one end's octets to i in pieces and returns what went on.
func said(t testing.TB, i *Inspector, dir proto.Direction, text string, pieces func() int) (on string, last bool, err error) {
	t.Helper()
	for len(text) > 0 {
		n := min(len(text), pieces())
		chunk := []byte(text[:n])
		pass, signals, err := i.Inspect(dir, chunk)
		on += string(pass)
		for j := range chunk {
			chunk[j] = 0xee // nobody may keep it
		}
		if err != nil {
			return on, false, err
		}
		if last = signals&Last != 0; last && dir == proto.OriginToClient {
			return on, true, nil
		}
		text = text[n:]
	}
	return on, last, nil
}

// splits are ways to cut what is said into pieces.
func splits() map[string]func() int {
	random := rand.New(rand.NewPCG(1, 2))
	return map[string]func() int{
		"whole":   func() int { return 1 << 20 },
		"octets":  func() int { return 1 },
		"threes":  func() int { return 3 },
		"at will": func() int { return 1 + random.IntN(60) },
	}
}

func TestHTTP1(t *testing.T) {
	chunked := "PUT /3 HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nbody\r\n0\r\nT: v\r\n\r\n"
	for _, tt := range []struct {
		name, client, on string
		answers, told    string // of the origin, and what the client gets
		open             bool   // the session does not end
	}{
		{"nothing", good + post, good + post, ok + ok, ok + ok, true},
		{"second host", good + evil, good, ok, ok + told, false},
		{"pipelined", good + post + evil + good, good + post, ok + ok, ok + ok + told, false},
		{"first", evil + good, "", "", told, false},
		{"empty lines", good + "\r\n\n\r\n" + evil, good, ok, ok + told, false},
		{"own method", good + strings.Replace(evil, "GET", "A-B", 1), good, ok, ok + told, false},
		{"absolute form", good + "GET http://evil.test/ HTTP/1.1\r\nHost: good.test\r\n\r\n", good, ok, ok + told, false},
		{"after chunks", chunked + evil, chunked, ok, ok + told, false},
		{"path", good + strings.Replace(good, "/1", "/evil", 1), good, ok, ok + page, false},
		{"two hosts", good + "GET / HTTP/1.1\r\nHost: good.test\r\nHost: evil.test\r\n\r\n", good, ok, ok + page, false},
		{"hidden chunks", "POST / HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + evil, "", "", page, false},
		{"length and chunks", "POST / HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + evil, "", "", page, false},
		{"unreadable", good + "GET /\r\n\r\n", good, ok, ok + page, false},
		{"long head", good + "GET / HTTP/1.1\r\nHost: good.test\r\nX: " + strings.Repeat("x", 66<<10), good, ok, ok + page, false},
		{"interim answers", good + evil, good, "HTTP/1.1 100 Continue\r\n\r\n" + ok, "HTTP/1.1 100 Continue\r\n\r\n" + ok + told, false},
		{"HEAD", strings.Replace(good, "GET", "HEAD", 1) + evil, strings.Replace(good, "GET", "HEAD", 1), "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + told, false},
		{"chunked answer", good + evil, good, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + told, false},
		{"CONNECT elsewhere", good + "CONNECT evil.test:443 HTTP/1.1\r\nHost: good.test\r\n\r\n", good, ok, ok + told, false},
		{"no HTTP", "EHLO a.test\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", "EHLO a.test\r\nGET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", "250 ok\r\n", "250 ok\r\n", true},
	} {
		for way, pieces := range splits() {
			t.Run(tt.name+", "+way, func(t *testing.T) {
				i := New(&refuser{}, false)
				on, last, err := said(t, i, proto.ClientToOrigin, tt.client, pieces)
				if on != tt.on || last == tt.open || err != nil {
					t.Errorf("%q goes on, last %t, %v", on, last, err)
				}
				got := ""
				if tt.answers != "" {
					got, last, _ = said(t, i, proto.OriginToClient, tt.answers, pieces)
				}
				if i.Due() {
					pass, signals, _ := i.Inspect(proto.OriginToClient, nil)
					got, last = got+string(pass), signals&Last != 0
				}
				if got != tt.told || last == tt.open {
					t.Errorf("the client gets %q, last %t", got, last)
				}
				if i.Due() {
					t.Error("something is due for ever")
				}
			})
		}
	}
}

// Behind a granted CONNECT or upgrade nothing is looked at, before it everything is.
func TestSwitch(t *testing.T) {
	const connect = "CONNECT good.test:443 HTTP/1.1\r\nHost: good.test\r\n\r\n"
	const upgrade = "GET / HTTP/1.1\r\nHost: good.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
	for _, tt := range []struct{ name, ask, answer, before, after string }{
		{"CONNECT", connect, "HTTP/1.1 200 OK\r\n\r\n", "", evil},
		{"CONNECT refused", connect, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "", ""},
		{"upgrade", upgrade, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := New(&refuser{}, false)
			if on, _, err := said(t, i, proto.ClientToOrigin, tt.ask, splits()["whole"]); on != tt.ask || err != nil {
				t.Fatalf("%q, %v", on, err)
			}
			if tt.name != "upgrade" {
				if on, _, _ := said(t, i, proto.ClientToOrigin, evil, splits()["whole"]); on != tt.before {
					t.Errorf("%q goes on before the answer", on)
				}
			}
			pass, signals, _ := i.Inspect(proto.OriginToClient, []byte(tt.answer))
			if string(pass) != tt.answer || (signals&Resumes != 0) != (tt.name != "upgrade") {
				t.Errorf("%q, signals %b", pass, signals)
			}
			pass, _, err := i.Inspect(proto.ClientToOrigin, nil)
			if string(pass) != tt.after || err != nil {
				t.Errorf("%q goes on behind the answer, %v", pass, err)
			}
			if tt.name == "upgrade" {
				if on, _, _ := said(t, i, proto.ClientToOrigin, evil, splits()["whole"]); on != evil {
					t.Errorf("%q of the other protocol goes on", on)
				}
			}
		})
	}
}

// Octets that do not tell the protocol wait until they are released, and are looked at still.
func TestUndecided(t *testing.T) {
	i := New(&refuser{}, false)
	pass, signals, _ := i.Inspect(proto.ClientToOrigin, []byte("GE"))
	if len(pass) > 0 || signals&Undecided == 0 {
		t.Errorf("%q goes on, signals %b", pass, signals)
	}
	i.Release()
	if pass, signals, _ = i.Inspect(proto.ClientToOrigin, nil); string(pass) != "GE" || signals&Undecided != 0 {
		t.Errorf("%q goes on, signals %b", pass, signals)
	}
	if pass, signals, _ = i.Inspect(proto.ClientToOrigin, []byte(good[2:]+evil)); string(pass) != good[2:] || signals&Last == 0 {
		t.Errorf("%q goes on, signals %b", pass, signals)
	}
	i = New(&refuser{}, false)
	i.Begun([]byte("GE"))
	if pass, _, _ = i.Inspect(proto.ClientToOrigin, []byte("T / HTTP/1.1\r\nHost: evil")); len(pass) > 0 {
		t.Errorf("%q goes on", pass)
	}
	if pass, _, _ = i.Inspect(proto.ClientToOrigin, []byte(".test\r\n\r\n")); len(pass) > 0 {
		t.Errorf("%q goes on", pass)
	}
	i = New(&refuser{}, false)
	i.Inspect(proto.ClientToOrigin, []byte("word"))
	if got := string(i.End()); got != "word" {
		t.Errorf("%q goes on at the end", got)
	}
}

// What cannot be told to the client ends the session.
func TestMute(t *testing.T) {
	i := New(&refuser{mute: true}, false)
	if _, _, err := i.Inspect(proto.ClientToOrigin, []byte(evil)); err != ErrRefused {
		t.Error(err)
	}
}

// client writes what a client of HTTP/2 says.
type client struct {
	bytes.Buffer
	*http2.Framer
	hpack *hpack.Encoder
	block bytes.Buffer
}

func newClient() *client {
	c := &client{}
	c.WriteString(http2.ClientPreface)
	c.Framer = http2.NewFramer(&c.Buffer, nil)
	c.hpack = hpack.NewEncoder(&c.block)
	c.WriteSettings()
	return c
}

func (c *client) fields(list ...string) []byte {
	c.block.Reset()
	for i := 0; i < len(list); i += 2 {
		c.hpack.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]})
	}
	return bytes.Clone(c.block.Bytes())
}

func (c *client) request(stream uint32, host, path string, end bool) {
	block := c.fields(":method", "GET", ":scheme", "https", ":authority", host, ":path", path, "x-long", strings.Repeat("v", 40), "cookie", host)
	half := len(block) / 2
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:half], EndStream: end})
	c.WriteContinuation(stream, true, block[half:])
}

// TestHTTP2 has streams refused among others. The origin reads what is left by a decoder of
// its own, the client what it gets.
func TestHTTP2(t *testing.T) {
	for way, pieces := range splits() {
		t.Run(way, func(t *testing.T) {
			c := newClient()
			c.request(1, "good.test", "/1", true)
			c.request(3, "evil.test", "/2", false)
			c.WriteData(3, false, make([]byte, 100))
			c.request(5, "good.test", "/3", false)
			c.WriteData(5, false, []byte("content"))
			c.WriteDataPadded(3, true, make([]byte, 50), make([]byte, 9))
			c.WriteRSTStream(3, http2.ErrCodeNo)
			c.WriteWindowUpdate(3, 10)
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: c.fields("x-trailer", "t"), EndHeaders: true, EndStream: true})
			c.request(7, "evil.test", "/4", true)
			c.request(9, "good.test", "/5", true)

			i := New(&refuser{}, false)
			settings := string([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0})
			if got, _, _ := said(t, i, proto.OriginToClient, settings, pieces); got != settings {
				t.Fatalf("%q", got)
			}
			on, _, err := said(t, i, proto.ClientToOrigin, c.String(), pieces)
			if err != nil {
				t.Fatal(err)
			}
			want := `1 GET https good.test /1 end
				5 GET https good.test /3
				5 data 7
				5 x-trailer=t end
				9 GET https good.test /5 end`
			if got := read(t, on[len(http2.ClientPreface):]); got != strings.ReplaceAll(want, "\t", "") {
				t.Errorf("the origin reads:\n%s", got)
			}
			pass, _, _ := i.Inspect(proto.OriginToClient, nil)
			want = `3 :status=421 end
				3 reset NO_ERROR
				7 :status=421 end
				0 window 160`
			if got := read(t, string(pass)); got != strings.ReplaceAll(want, "\t", "") {
				t.Errorf("the client reads:\n%s", got)
			}
		})
	}
}

// read tells the frames in text.
func read(t *testing.T, text string) string {
	t.Helper()
	f := http2.NewFramer(nil, strings.NewReader(text))
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var lines []string
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return strings.Join(lines, "\n")
		}
		line := ""
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			line = fmt.Sprint(frame.StreamID)
			for _, v := range frame.Fields {
				switch v.Name {
				case ":method", ":scheme", ":authority", ":path":
					line += " " + v.Value
				case "x-long", "cookie":
				default:
					line += " " + v.Name + "=" + v.Value
				}
			}
			if frame.StreamEnded() {
				line += " end"
			}
		case *http2.DataFrame:
			line = fmt.Sprint(frame.StreamID, " data ", len(frame.Data()))
		case *http2.RSTStreamFrame:
			line = fmt.Sprint(frame.StreamID, " reset ", frame.ErrCode)
		case *http2.WindowUpdateFrame:
			line = fmt.Sprint(frame.StreamID, " window ", frame.Increment)
		default:
			continue
		}
		lines = append(lines, line)
	}
}

// Nothing stands within a frame or a header block of the origin, nor before its settings. A
// client that takes a smaller table is told of it first.
func TestBetweenFrames(t *testing.T) {
	c := newClient()
	c.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 100})
	c.request(1, "evil.test", "/", true)
	i := New(&refuser{}, false)
	if _, _, err := i.Inspect(proto.ClientToOrigin, c.Bytes()); err != nil {
		t.Fatal(err)
	}
	if i.Due() {
		t.Error("due before the origin's settings")
	}
	var o bytes.Buffer
	f := http2.NewFramer(&o, nil)
	f.WriteSettings()
	pass, _, _ := i.Inspect(proto.OriginToClient, o.Bytes())
	if got := read(t, string(pass)); got != "1 :status=421 end" {
		t.Errorf("behind the settings: %q", got)
	}
	o.Reset()
	f.WriteSettingsAck()
	f.WriteSettingsAck()
	i.Inspect(proto.OriginToClient, o.Bytes())
	c.Reset()
	c.request(3, "evil.test", "/", true)
	o.Reset()
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: []byte{0x88}})
	i.Inspect(proto.OriginToClient, o.Bytes()[:4])
	i.Inspect(proto.ClientToOrigin, c.Bytes())
	if i.Due() {
		t.Error("due within a frame")
	}
	i.Inspect(proto.OriginToClient, o.Bytes()[4:])
	if i.Due() {
		t.Error("due within a header block")
	}
	o.Reset()
	f.WriteContinuation(5, true, nil)
	pass, _, _ = i.Inspect(proto.OriginToClient, o.Bytes())
	if want := append(bytes.Clone(o.Bytes()), 0, 0, 5, 1, 5, 0, 0, 0, 3, 0x08, 3, '4', '2', '1'); !bytes.Equal(pass, want) {
		t.Errorf("got %x, want %x", pass, want)
	}
}

func TestTableSize(t *testing.T) {
	c := newClient()
	c.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 100})
	i := New(&refuser{}, false)
	i.Inspect(proto.ClientToOrigin, c.Bytes())
	var o bytes.Buffer
	f := http2.NewFramer(&o, nil)
	f.WriteSettings()
	f.WriteSettingsAck()
	f.WriteSettingsAck()
	i.Inspect(proto.OriginToClient, o.Bytes())
	c.Reset()
	c.request(1, "evil.test", "/", true)
	i.Inspect(proto.ClientToOrigin, c.Bytes())
	pass, _, _ := i.Inspect(proto.OriginToClient, nil)
	d := hpack.NewDecoder(4096, nil)
	if fields, err := d.DecodeFull(pass[9:]); err != nil || len(fields) != 1 || !bytes.HasPrefix(pass[9:], []byte{0x3f, 100 - 31}) {
		t.Errorf("%x: %v, %v", pass, fields, err)
	}
}

// FuzzInspector holds that nothing of a refused request goes on, whatever is said and in
// whatever pieces, and that the inspector does not panic.
func FuzzInspector(f *testing.F) {
	c := newClient()
	c.request(1, "good.test", "/1", true)
	c.request(3, "evil.test", "/2", false)
	for _, s := range []string{good + evil, post + good, evil, c.String(), "CONNECT good.test:1 HTTP/1.1\r\n\r\n" + evil} {
		f.Add([]byte(s), []byte(ok+ok), uint8(7))
	}
	f.Fuzz(func(t *testing.T, client, origin []byte, size uint8) {
		whole, parts := New(&refuser{}, false), New(&refuser{}, false)
		once, _, err := whole.Inspect(proto.ClientToOrigin, bytes.Clone(client))
		on, _, perr := said(t, parts, proto.ClientToOrigin, string(client), func() int { return 1 + int(size) })
		if err == nil && perr == nil && !bytes.Equal(once, []byte(on)) {
			t.Errorf("%q goes on whole, %q in pieces", once, on)
		}
		if i := whole; i.protocol == http1Protocol && bytes.Contains(once, []byte("\r\nHost: evil.test\r\n\r\n")) && !i.requests.within &&
			!bytes.ContainsAny(once, "123456789") {
			t.Errorf("%q goes on", once)
		}
		for len(origin) > 0 {
			n := min(len(origin), 1+int(size))
			parts.Inspect(proto.OriginToClient, origin[:n])
			origin = origin[n:]
		}
		parts.Inspect(proto.OriginToClient, nil)
		parts.Inspect(proto.ClientToOrigin, nil)
	})
}

// allow passes everything and keeps nothing.
type allow struct{}

func (allow) Judge(*Request) Verdict    { return Pass }
func (allow) Answer([]byte, int) []byte { return nil }

// BenchmarkInspector measures a request with its answer.
func BenchmarkInspector(b *testing.B) {
	const request = "GET /index.html HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nAccept-Language: en\r\nConnection: keep-alive\r\nCookie: a=b; c=d\r\n\r\n"
	const answer = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 30 Nov 2026 00:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: keep-alive\r\nETag: \"1\"\r\n\r\nok"
	b.Run("http1", func(b *testing.B) {
		i := New(allow{}, false)
		p, q := []byte(request), []byte(answer)
		b.ReportAllocs()
		for b.Loop() {
			i.Inspect(proto.ClientToOrigin, p)
			i.Inspect(proto.OriginToClient, q)
		}
	})
	b.Run("http2", func(b *testing.B) {
		i := New(allow{}, false)
		c := newClient()
		c.request(1, "good.test", "/1", true)
		i.Inspect(proto.ClientToOrigin, c.Bytes())
		c.Reset()
		block := c.fields(":method", "GET", ":scheme", "https", ":authority", "good.test", ":path", "/1", "x-long", strings.Repeat("v", 40), "cookie", "good.test")
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block, EndStream: true, EndHeaders: true})
		p := bytes.Clone(c.Bytes())
		q := []byte("\x00\x00\x01\x01\x04\x00\x00\x00\x03\x88\x00\x00\x02\x00\x01\x00\x00\x00\x03ok")
		b.ReportAllocs()
		for b.Loop() {
			i.streams.highest = 1 // the same stream again
			if _, _, err := i.Inspect(proto.ClientToOrigin, p); err != nil {
				b.Fatal(err)
			}
			i.Inspect(proto.OriginToClient, q)
		}
	})
}
