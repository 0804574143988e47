package facts

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1/http1test"

	xhttp2 "golang.org/x/net/http2"
)

// step is what one end says.
type step struct {
	dir  proto.Direction
	text string
}

func up(text string) step   { return step{proto.ClientToOrigin, text} }
func down(text string) step { return step{proto.OriginToClient, text} }

// read hands over all steps, cut in pieces of that size; 0: whole.
func read(o Options, piece int, steps ...step) Report {
	s := New(o)
	for _, st := range steps {
		for b := []byte(st.text); len(b) > 0; {
			n := len(b)
			if piece > 0 {
				n = min(n, piece)
			}
			s.Data(st.dir, b[:n])
			b = b[n:]
		}
	}
	return s.Close()
}

// equal reads the steps in several cuts.
func equal(t *testing.T, o Options, want Report, steps ...step) {
	t.Helper()
	for _, piece := range []int{0, 1, 2, 3, 5, 7, 64, 1000} {
		if diff := cmp.Diff(want, read(o, piece, steps...)); diff != "" {
			t.Errorf("in pieces of %d (-want +got):\n%s", piece, diff)
		}
	}
}

func TestHTTP1(t *testing.T) {
	const get = "GET /a?token=secret#x HTTP/1.1\r\nHost: www.example.test\r\nCookie: s=1\r\n\r\n"
	one := func(x Exchange) Report { return Report{HTTP: []Exchange{x}, HTTPTotal: 1} }
	page := Exchange{"GET", "www.example.test", "/a", 200, "text/html", 5}
	for _, tt := range []struct {
		name  string
		o     Options
		want  Report
		steps []step
	}{
		{"length", Options{}, one(page), []step{up(get), down("HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=x\r\nContent-Length: 5\r\n\r\nhello")}},
		{"chunks", Options{}, one(page), []step{up(get), down("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2;x=y\r\nhe\r\n03\r\nllo\r\n0\r\nTrailer: x\r\n\r\n")}},
		{"until the end", Options{}, one(page), []step{up(get), down("HTTP/1.0 200 OK\nContent-Type: text/html\n\nhello")}},
		{"query wanted", Options{Queries: true}, one(Exchange{"GET", "www.example.test", "/a?token=secret", 404, "", 0}), []step{up(get), down("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")}},
		{"no answer", Options{}, one(Exchange{"GET", "www.example.test", "/a", 0, "", 0}), []step{up(get)}},
		{"100 and 103 first", Options{}, one(Exchange{"PUT", "h", "/u", 201, "", 0}), []step{
			up("PUT /u HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\nExpect: 100-continue\r\n\r\n"), down("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Type: a/b\r\n\r\n"),
			up("GET /not-a-request HTTP/1.1\r\nHost: e\r\n\r\n"), down("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")}},
		{"proxy's form", Options{}, one(Exchange{"GET", "origin.test:81", "/p", 304, "", 0}), []step{
			up("GET http://user:pass@origin.test:81/p?q HTTP/1.1\r\nHost: other\r\n\r\n"), down("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n")}},
		{"pipelined, HEAD", Options{}, Report{HTTP: []Exchange{{"HEAD", "h", "/1", 200, "", 0}, {"GET", "h", "/2", 204, "", 0}, {"GET", "h", "/3", 200, "", 1}}, HTTPTotal: 3}, []step{
			up("HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n"),
			down("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")}},
		{"WebSocket", Options{}, one(Exchange{"GET", "h", "/ws", 101, "", 0}), []step{
			up("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n"), down("HTTP/1.1 101 Switching\r\n\r\n"), up("GET / HTTP/1.1\r\nHost: not\r\n\r\n")}},
		{"two lengths", Options{}, Report{}, []step{up("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")}},
		{"broken chunks", Options{}, one(Exchange{"GET", "www.example.test", "/a", 200, "", 0}), []step{up(get), down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz")}},
		{"another protocol", Options{}, Report{}, []step{up("SSH-2.0-x\r\n"), down("SSH-2.0-y\r\n"), up(get)}},
	} {
		t.Run(tt.name, func(t *testing.T) { equal(t, tt.o, tt.want, tt.steps...) })
	}
}

// TestHosts: an entry has the host that the policy gets, none if there is doubt.
func TestHosts(t *testing.T) {
	for _, tt := range http1test.Hosts {
		t.Run(tt.Name, func(t *testing.T) {
			r := read(Options{}, 0, up("GET / HTTP/1.1\r\nHost: first.test\r\n\r\n"+tt.Head))
			want := tt.Host
			if strings.Contains(want, ":") {
				want = "[" + want + "]"
			}
			if tt.Port != "" {
				want += ":" + tt.Port
			}
			if len(r.HTTP) != 2 || r.HTTP[1].Host != want {
				t.Errorf("%v, want host %q", r.HTTP, want)
			}
		})
	}
}

func TestSMTP(t *testing.T) {
	hello := []step{down("220 mail.example.test ESMTP\r\n"), up("EHLO c\r\n"), down("250-x\r\n250 CHUNKING\r\n")}
	envelope := []step{up("MAIL FROM:<alice@a.test> SIZE=5\r\n"), down("250 ok\r\n"), up("rcpt to: <bob@b.test>\r\nRCPT TO:<carol@c.test>\r\n"), down("250 ok\r\n250 ok\r\n")}
	const message = "From: x\r\nSubject: =?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=\r\n =?utf-8?q?_=26_more?=\r\nMESSAGE-ID: <1@a.test>\r\n\r\nSubject: body\r\n..\r\n.x\r\n"
	mail := Mail{false, "alice@a.test", []string{"bob@b.test", "carol@c.test"}, "日本語 & more", "1@a.test", 250}
	chunk := func(from string) string {
		return "MAIL FROM:<" + from + ">\r\nRCPT TO:<r@r.test>\r\nBDAT 2 LAST\r\n\r\n"
	}
	bdat := func(from string, reply int) Mail { return Mail{From: from, To: []string{"r@r.test"}, Reply: reply} }
	lmtp := Mail{From: "l@a.test", To: []string{"x@x.test", "y@x.test", "z@x.test"}, Reply: 452}
	one := Report{Mail: []Mail{mail}, MailTotal: 1}
	with := func(list ...[]step) (all []step) {
		for _, l := range list {
			all = append(all, l...)
		}
		return all
	}
	data := []step{up("DATA\r\n"), down("354 go\r\n"), up(message + ".\r\n"), down("250 taken\r\n")}
	second := mail
	second.Reply = 554
	empty := Mail{false, "", []string{}, "", "", 250}
	for _, tt := range []struct {
		name  string
		want  Report
		steps []step
	}{
		{"DATA", one, with(hello, envelope, data)},
		{"after STARTTLS", one, with(hello, []step{up("STARTTLS\r\n"), down("220 go\r\n")}, hello[1:], envelope, data)},
		{"BDAT", one, with(hello, envelope, []step{up(fmt.Sprintf("BDAT 10\r\n%s", message[:10])), down("250 ok\r\n"), up(fmt.Sprintf("BDAT %d LAST\r\n%s", len(message)-10, message[10:])), down("250 ok\r\n")})},
		{"pipelined BDAT", Report{Mail: []Mail{bdat("a@a.test", 250), bdat("b@a.test", 554), bdat("c@a.test", 251)}, MailTotal: 3}, with(hello, []step{
			up(chunk("a@a.test") + chunk("b@a.test")), down("250 ok\r\n250 ok\r\n250 taken\r\n250 ok\r\n250 ok\r\n"), up(chunk("c@a.test") + "QUIT\r\n"),
			down("554 no\r\n250 ok\r\n250 ok\r\n251 taken\r\n221 bye\r\n")})},
		{"envelope behind a message without its reply", Report{Mail: []Mail{bdat("a@a.test", 250), bdat("b@a.test", 250)}, MailTotal: 2}, with(hello, []step{
			up(chunk("a@a.test") + "MAIL FROM:<b@a.test>\r\nRCPT TO:<r@r.test>\r\n"), down("250 ok\r\n250 ok\r\n250 taken\r\n250 ok\r\n250 ok\r\n"),
			up("BDAT 2 LAST\r\n\r\n"), down("250 taken\r\n")})},
		{"LMTP", Report{Mail: []Mail{lmtp, bdat("d@a.test", 250)}, MailTotal: 2}, []step{down("220 a LMTP\r\n"), up("LHLO c\r\n"), down("250-a\r\n250 PIPELINING\r\n"),
			up("MAIL FROM:<l@a.test>\r\nRCPT TO:<x@x.test>\r\nRCPT TO:<y@x.test>\r\nRCPT TO:<z@x.test>\r\nDATA\r\n"), down("250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n"),
			up("\r\n.\r\n" + chunk("d@a.test")), down("250 for x\r\n452 not for z\r\n250 ok\r\n250 ok\r\n250 taken\r\n")}},
		{"DATA refused", one, with(hello, envelope, []step{up("DATA\r\n"), down("451 later\r\n"), up("NOOP\r\n"), down("250 ok\r\n")}, data)},
		{"two messages", Report{Mail: []Mail{mail, second}, MailTotal: 2}, with(hello, envelope, data, envelope, data[:3], []step{down("554-no\r\n554 no\r\n")})},
		{"taken back", Report{}, with(hello, envelope, []step{up("RSET\r\n"), down("250 ok\r\n"), up("QUIT\r\n")})},
		{"no content", Report{Mail: []Mail{empty}, MailTotal: 1}, with(hello, []step{up("MAIL FROM:<>\r\n"), down("250 ok\r\n"), up("DATA\r\n"), down("354 go\r\n"), up(".\r\n"), down("250 ok\r\n")})},
		{"no end", Report{}, with(hello, envelope, data[:2], []step{up(message)})},
		{"credentials", Report{Logins: []Login{{"alice", "PLAIN", "granted"}}, LoginsTotal: 1}, with(hello, []step{up("AUTH PLAIN\r\n"), down("334 \r\n"), up("AGFsaWNlAHNlY3JldA==\r\n"), down("235 ok\r\n")})},
	} {
		t.Run(tt.name, func(t *testing.T) { equal(t, Options{}, tt.want, tt.steps...) })
	}
}

// wire makes HTTP/2 frames by golang.org/x/net.
type wire struct {
	out     [2]bytes.Buffer
	framers [2]*xhttp2.Framer
	block   [2]bytes.Buffer
	encode  [2]*hpack.Encoder
	steps   []step
}

func newWire() *wire {
	w := &wire{steps: []step{up(xhttp2.ClientPreface)}}
	for i := range 2 {
		w.framers[i] = xhttp2.NewFramer(&w.out[i], nil)
		w.encode[i] = hpack.NewEncoder(&w.block[i])
	}
	return w
}

func (w *wire) write(dir proto.Direction, f func(*xhttp2.Framer) error) *wire {
	if err := f(w.framers[dir]); err != nil {
		panic(err)
	}
	w.steps = append(w.steps, step{dir, w.out[dir].String()})
	w.out[dir].Reset()
	return w
}

// headers writes a block in two frames, the first with padding and priority.
func (w *wire) headers(dir proto.Direction, id uint32, end bool, fields ...string) *wire {
	for i := 0; i < len(fields); i += 2 {
		w.encode[dir].WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	block := bytes.Clone(w.block[dir].Bytes())
	w.block[dir].Reset()
	return w.write(dir, func(f *xhttp2.Framer) error {
		f.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: id, BlockFragment: block[:1], EndStream: end, PadLength: 3, Priority: xhttp2.PriorityParam{Weight: 1}})
		return f.WriteContinuation(id, true, block[1:])
	})
}

func (w *wire) data(dir proto.Direction, id uint32, end bool, text string, pad int) *wire {
	return w.write(dir, func(f *xhttp2.Framer) error {
		return f.WriteDataPadded(id, end, []byte(text), make([]byte, pad))
	})
}

func (w *wire) get(id uint32, path string) *wire {
	return w.headers(proto.ClientToOrigin, id, true, ":method", "GET", ":scheme", "https", ":authority", "www.example.test", ":path", path, "cookie", "s=1")
}

func TestHTTP2(t *testing.T) {
	w := newWire().
		write(proto.ClientToOrigin, func(f *xhttp2.Framer) error { return f.WriteSettings(xhttp2.Setting{ID: 1, Val: 65536}) }).
		write(proto.OriginToClient, func(f *xhttp2.Framer) error { return f.WriteSettings() }).
		get(1, "/one?secret").get(3, "/two").get(5, "/three").
		headers(proto.OriginToClient, 3, false, ":status", "103").
		headers(proto.OriginToClient, 3, false, ":status", "200", "content-type", "image/PNG; x=y").
		headers(proto.OriginToClient, 1, true, ":status", "404").
		data(proto.OriginToClient, 3, false, "12345", 4).data(proto.OriginToClient, 3, false, "678", 0).
		write(proto.OriginToClient, func(f *xhttp2.Framer) error { return f.WritePing(false, [8]byte{}) }).
		headers(proto.OriginToClient, 3, true, "grpc-status", "0")
	w.headers(proto.ClientToOrigin, 3, true, "trailer", "late")
	w.write(proto.ClientToOrigin, func(f *xhttp2.Framer) error { return f.WriteRSTStream(5, xhttp2.ErrCodeCancel) }).get(7, "/never")
	equal(t, Options{}, Report{HTTPTotal: 4, HTTP: []Exchange{
		{"GET", "www.example.test", "/one", 404, "", 0},
		{"GET", "www.example.test", "/two", 200, "image/png", 8},
		{"GET", "www.example.test", "/three", 0, "", 0},
		{"GET", "www.example.test", "/never", 0, "", 0},
	}}, w.steps...)
}

// TestBounds: what comes after the first exchanges is counted, and texts are cut.
func TestBounds(t *testing.T) {
	long := "/" + strings.Repeat("x", 2000)
	w := newWire()
	var plain []step
	for i := range 100 {
		w.get(uint32(2*i+1), long).headers(proto.OriginToClient, uint32(2*i+1), true, ":status", "200", "content-type", strings.Repeat("t", 300))
		plain = append(plain, up("GET "+long+" HTTP/1.1\r\nHost: "+strings.Repeat("h", 300)+"\r\n\r\n"), down("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	}
	for name, steps := range map[string][]step{"HTTP/2": w.steps, "HTTP/1.1": plain} {
		r := read(Options{}, 0, steps...)
		if r.HTTPTotal != 100 || len(r.HTTP) != maxKept {
			t.Errorf("%s: %d of %d kept", name, len(r.HTTP), r.HTTPTotal)
		}
		for _, x := range r.HTTP {
			if len(x.Path) != maxPath || len(x.Host) > maxHost || len(x.Type) > maxType {
				t.Errorf("%s: %d octets of path, %d of host, %d of type", name, len(x.Path), len(x.Host), len(x.Type))
				break
			}
		}
	}
	if r := read(Options{}, 4096, up("GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")); r.HTTPTotal != 0 {
		t.Error("a header without an end is kept")
	}
}

// download is a session whose answer goes on for ever.
func download(name string) (*Session, []byte) {
	s := New(Options{})
	chunk := bytes.Repeat([]byte("some content, as it may be\r\n"), 64<<10/28)
	switch name {
	case "http1":
		s.Data(proto.ClientToOrigin, []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
		s.Data(proto.OriginToClient, []byte("HTTP/1.1 200 OK\r\n\r\n"))
	case "chunked":
		s.Data(proto.ClientToOrigin, []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
		s.Data(proto.OriginToClient, []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
		var b bytes.Buffer
		for range 8 {
			fmt.Fprintf(&b, "1f00\r\n%s\r\n", chunk[:0x1f00])
		}
		chunk = b.Bytes()
	case "http2":
		w := newWire().get(1, "/").headers(proto.OriginToClient, 1, false, ":status", "200")
		for _, st := range w.steps {
			s.Data(st.dir, []byte(st.text))
		}
		for range 4 {
			w.data(proto.OriginToClient, 1, false, string(chunk[:16<<10-9]), 0)
		}
		chunk = nil
		for _, st := range w.steps[len(w.steps)-4:] {
			chunk = append(chunk, st.text...)
		}
	case "other":
		s.Data(proto.ClientToOrigin, []byte("SSH-2.0-x\r\n"))
	}
	return s, chunk
}

func upload() (*Session, []byte) {
	s := New(Options{})
	for _, st := range []step{down("220 ESMTP\r\n"), up("MAIL FROM:<a@b>\r\nDATA\r\n"), down("354 go\r\n"), up("Subject: x\r\n\r\n")} {
		s.Data(st.dir, []byte(st.text))
	}
	return s, bytes.Repeat([]byte("c29tZSBjb250ZW50LCBhcyBpdCBtYXkgYmUsIGluIGxpbmVzIG9mIDc2IG9jdGV0cyBlYWNoIHNvCg==\r\n"), 64<<10/82)
}

func TestContentAllocatesNothing(t *testing.T) {
	for _, name := range []string{"http1", "chunked", "http2", "other"} {
		s, chunk := download(name)
		n := testing.AllocsPerRun(100, func() { s.Data(proto.OriginToClient, chunk) })
		r := s.Close()
		if read := len(r.HTTP) == 1 && r.HTTP[0].Length > 100*60<<10; n != 0 || read == (name == "other") {
			t.Errorf("%s: %v allocations, report %v", name, n, r)
		}
	}
	s, chunk := upload()
	n := testing.AllocsPerRun(100, func() { s.Data(proto.ClientToOrigin, chunk) })
	s.Data(proto.ClientToOrigin, []byte(".\r\n"))
	if r := s.Close(); n != 0 || r.MailTotal != 1 {
		t.Errorf("smtp: %v allocations, report %v", n, r)
	}
}

// BenchmarkContent passes over chunks of 64 KiB.
func BenchmarkContent(b *testing.B) {
	run := func(name string, s *Session, dir proto.Direction, chunk []byte) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				s.Data(dir, chunk)
			}
		})
	}
	for _, name := range []string{"http1", "chunked", "http2", "other"} {
		s, chunk := download(name)
		run(name, s, proto.OriginToClient, chunk)
	}
	s, chunk := upload()
	run("smtp", s, proto.ClientToOrigin, chunk)
	for name, begin := range map[string][]step{
		"imap": {down("* OK\r\n"), up("a FETCH 1 BODY[]\r\n"), down("* 1 FETCH (BODY[] {9999999999999}\r\nSubject: x\r\n\r\n")},
		"pop3": {down("+OK\r\n"), up("RETR 1\r\n"), down("+OK\r\nSubject: x\r\n\r\n")},
	} {
		s := New(Options{})
		for _, st := range begin {
			s.Data(st.dir, []byte(st.text))
		}
		run(name, s, proto.OriginToClient, chunk)
	}
}

// BenchmarkExchange reads a small request and its answer.
func BenchmarkExchange(b *testing.B) {
	s := New(Options{})
	request := []byte("GET /index.html HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n")
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello")
	b.ReportAllocs()
	for b.Loop() {
		s.Data(proto.ClientToOrigin, request)
		s.Data(proto.OriginToClient, answer)
	}
}

// TestMailbox: messages without an envelope are told by their headers.
func TestMailbox(t *testing.T) {
	const message = "From: \"Doe, J. <x@y>\" <alice@a.test>\r\nTo: team: bob@b.test, (a, b) Carol <carol@c.test>;, nobody\r\nSubject: =?utf-8?q?x_=26?=\r\nMessage-ID: <1@a.test>\r\n\r\nbody\r\n"
	mail := Mail{true, "alice@a.test", []string{"bob@b.test", "carol@c.test"}, "x &", "1@a.test", 0}
	stored := mail
	stored.Fetched = false
	equal(t, Options{}, Report{Mail: []Mail{stored, mail}, MailTotal: 2, Logins: []Login{{"bob", "LOGIN", "granted"}}, LoginsTotal: 1},
		down("* OK\r\n"), up("a LOGIN bob secret\r\n"), down("a OK\r\n"), up(fmt.Sprintf("b APPEND x {%d+}\r\n%s\r\n", len(message), message)), down("b OK\r\n"),
		up("c FETCH 1 BODY[]\r\n"), down(fmt.Sprintf("* 1 FETCH (BODY[] {%d}\r\n%s)\r\n", len(message), message)))
	equal(t, Options{}, Report{Mail: []Mail{mail}, MailTotal: 1, Logins: []Login{{"bob", "USER", "refused"}}, LoginsTotal: 1},
		down("+OK\r\n"), up("USER bob\r\nPASS secret\r\nRETR 1\r\n"), down("+OK\r\n-ERR\r\n+OK\r\n"+message+".\r\n"))
}

func TestFTP(t *testing.T) {
	equal(t, Options{}, Report{Logins: []Login{{"bob", "USER", "granted"}}, LoginsTotal: 1, Transfers: []Transfer{{"a b", "client_to_origin", 226}, {"c", "origin_to_client", 550}}, TransfersTotal: 2},
		down("220 FTP\r\n"), up("USER bob\r\n"), down("331 go\r\n"), up("PASS secret\r\n"), down("230 in\r\n"), up("STOR a b\r\n"), down("150 go\r\n226 done\r\n"), up("RETR c\r\n"), down("550 no\r\n"))
}

// TestAddresses reads the forms of RFC 5322, and what is none.
func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"a@b": "a@b", "A <a@b>": "a@b", `"x, <y@z>" <a@b>, c@d`: "a@b c@d", "(x <y@z>) a@b": "a@b", "(x)(y) a@b, c@d": "a@b c@d", "list:;": "", "": "", ",,": "", "<": "", "<a@b": "a@b", `"`: "", "@b": "", "a b": "", "x: a@b, c@d;": "a@b c@d",
	} {
		if got := strings.Join(addresses([]byte(in), 9), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestRest: a session at rest holds little, whatever could be found in it.
func TestRest(t *testing.T) {
	if n := unsafe.Sizeof(Session{}); n > 64 {
		t.Errorf("a session has %d octets", n)
	}
	const sessions = 2000
	for name, tt := range map[string]struct {
		most  uint64 // octets of a session
		steps []step
	}{
		"http1": {600, []step{up("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), down("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}},
		"smtp":  {1500, []step{down("220 SMTP\r\n"), up("EHLO a\r\n"), down("250 x\r\n"), up("AUTH PLAIN AGEAYg==\r\n"), down("235 ok\r\n")}},
		"imap":  {1500, []step{down("* OK\r\n"), up("a LOGIN bob secret\r\n"), down("a OK\r\n"), up("b FETCH 1 BODY[]\r\n"), down("* 1 FETCH (BODY[] {4}\r\n\r\nab)\r\nb OK\r\n"), up("c IDLE\r\n")}},
		"pop3":  {1500, []step{down("+OK\r\n"), up("USER bob\r\nPASS secret\r\nRETR 1\r\n"), down("+OK\r\n+OK\r\n+OK\r\n\r\nab\r\n.\r\n")}},
		"ftp":   {1500, []step{down("220 FTP\r\n"), up("USER bob\r\nPASS secret\r\nRETR a\r\n"), down("331 go\r\n230 in\r\n226 done\r\n")}},
	} {
		list := make([]*Session, sessions)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range list {
			list[i] = New(Options{})
			for _, st := range tt.steps {
				list[i].Data(st.dir, []byte(st.text))
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		each := (after.HeapAlloc - before.HeapAlloc) / sessions
		if t.Logf("%s: %d octets", name, each); each > tt.most {
			t.Errorf("%s: %d octets, want at most %d", name, each, tt.most)
		}
		runtime.KeepAlive(list)
	}
}
