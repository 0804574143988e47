package web

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// script is an end that says its part in pieces, and hears anything.
type script struct {
	p    []byte
	size int // of a piece, 0: all at once
	said bytes.Buffer
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.p) == 0 {
		return 0, io.EOF
	}
	n := min(len(s.p), len(p))
	if s.size > 0 {
		n = min(n, s.size)
	}
	copy(p, s.p[:n])
	s.p = s.p[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) { return s.said.Write(p) }
func (s *script) CloseWrite() error           { return nil }
func (s *script) Abort()                      {}

// parsed is one message as the engine finds it.
type parsed struct {
	head, content, raw string
	trailer            string
}

// messages reads all messages of one direction. Responses answer GET.
func messages(octets []byte, kind Kind, size int) (list []parsed, word string) {
	for relay := range 2 {
		in := &input{end: &script{p: octets, size: size}}
		var again []parsed
		for {
			raw, w, err := in.head(kind)
			if err != nil || w != "" {
				word = w
				break
			}
			parse := parseRequest
			if kind == Response {
				parse = parseResponse
			}
			h, w := parse(raw)
			if w != "" {
				word = w
				break
			}
			how, length := (&exchange{}).framing(&h)
			if kind == Request && how == byEnd {
				how = noBody
			}
			m := parsed{head: string(raw)}
			in.consume(len(raw))
			b := newBody(in, kind, how, length)
			if relay == 0 {
				var content []byte
				content, err = io.ReadAll(b)
				m.content, m.trailer = string(content), string(b.chunk.trailer)
				if how == byChunks && err == nil {
					f := reframer{b: b}
					m.raw = string(f.finish(f.append(nil, content)))
				} else {
					m.raw = m.content
				}
			} else {
				var out bytes.Buffer
				err = b.relay(&out, 0)
				m.raw = out.String()
			}
			if broken := (*brokenBody)(nil); errors.As(err, &broken) {
				err = broken.err
			}
			if r := (*Refusal)(nil); errors.As(err, &r) {
				word = r.Word
				break
			}
			if err != nil {
				break
			}
			again = append(again, m)
		}
		if relay == 0 {
			list = again
			continue
		}
		if len(again) != len(list) {
			return nil, "relay and reading differ in number"
		}
		for i := range again {
			if again[i].raw != list[i].raw || again[i].head != list[i].head {
				return nil, "relay and reading differ: " + again[i].raw + " | " + list[i].raw
			}
		}
	}
	return list, word
}

// segmentations checks that it does not matter in what pieces octets come.
func segmentations(t *testing.T, octets []byte, kind Kind) {
	whole, word := messages(octets, kind, 0)
	if strings.HasPrefix(word, "relay and") {
		t.Fatal(word)
	}
	for _, size := range []int{1, 3, 7} {
		pieces, other := messages(octets, kind, size)
		if word != other || len(pieces) != len(whole) {
			t.Fatalf("in pieces of %d: %d messages, %q; whole: %d, %q", size, len(pieces), other, len(whole), word)
		}
		for i := range whole {
			if whole[i] != pieces[i] {
				t.Fatalf("in pieces of %d: %q; whole: %q", size, pieces[i], whole[i])
			}
		}
	}
}

var requestSeeds = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n00\r\nT: v\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "GET /\r\n", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost:\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
}

func FuzzRequest(f *testing.F) {
	for _, s := range requestSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) { segmentations(t, octets, Request) })
}

func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 x\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nall there is",
		"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ICY 200 OK\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 0200 OK\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) { segmentations(t, octets, Response) })
}

// FuzzDifferential compares with net/http: a request that both take must be the
// same to both, content, trailers and what follows it.
func FuzzDifferential(f *testing.F) {
	for _, s := range requestSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		ours, _ := messages(octets, Request, 0)
		r := bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(octets, []byte("\r\n"))))
		for i, m := range ours {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			content, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			method, _, _ := strings.Cut(m.head, " ")
			if string(content) != m.content || req.Method != method {
				t.Fatalf("request %d: ours %s %q, net/http %s %q", i, method, m.content, req.Method, content)
			}
			if peek, _ := r.Peek(2); string(peek) == "\r\n" { // ours drops an empty line
				r.Discard(2)
			}
		}
	})
}

// FuzzSession has both ends say anything, with a service that looks at all and
// one that changes all.
func FuzzSession(f *testing.F) {
	for _, s := range requestSeeds {
		f.Add([]byte(s), []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), false)
	}
	var up, down, block bytes.Buffer
	c := hpack.NewEncoder(&block)
	for _, h := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}} {
		c.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	up.WriteString(preface)
	w := http2.NewFramer(&up, nil)
	w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
	w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	w.WriteData(1, true, []byte("content"))
	w.WriteWindowUpdate(0, 1<<20)
	w.WriteRSTStream(1, http2.ErrCodeCancel)
	w.WriteGoAway(0, http2.ErrCodeNo, nil)
	block.Reset()
	hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	w = http2.NewFramer(&down, nil)
	w.WriteSettings()
	w.WriteSettingsAck()
	w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	w.WriteData(1, true, bytes.Repeat([]byte("x"), 300))
	f.Add(up.Bytes(), down.Bytes(), true)
	f.Fuzz(func(t *testing.T, up, down []byte, two bool) {
		for _, a := range []adapterFunc{preview(5), glance(5), shout, eicar} {
			cfg := one(a)
			cfg.linger, cfg.Stall = time.Millisecond, time.Millisecond
			alpn := ""
			if two {
				alpn = "h2"
			}
			sc := play(t, cfg, alpn)
			go func() { io.Copy(io.Discard, sc.client) }()
			go func() { io.Copy(io.Discard, sc.origin) }()
			go func() { say(sc.client, up, nil); sc.client.CloseWrite() }()
			go func() { say(sc.origin, down, nil); sc.origin.CloseWrite() }()
			sc.end()
		}
	})
}
