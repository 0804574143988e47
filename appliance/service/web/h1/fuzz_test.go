package h1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
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
func messages(octets []byte, kind adapt.Kind, size int) (list []parsed, word string) {
	for relay := range 2 {
		in := buffered.New(&script{p: octets, size: size})
		heads := headReader{in: in}
		var again []parsed
		for {
			raw, fault, err := heads.read(kind)
			if err != nil {
				break
			}
			var framing http1.Framing
			if fault == http1.Sound && kind == adapt.Request {
				var r request
				r, fault = parseRequest(raw)
				framing = r.Framing
			} else if fault == http1.Sound {
				var r response
				r, fault = parseResponse(raw)
				framing = r.ContentFor(nil)
			}
			if fault != http1.Sound {
				word = fault.String()
				break
			}
			m := parsed{head: string(raw)}
			heads.consume(raw)
			b := newBody(in, kind, framing)
			if relay == 0 {
				var content []byte
				content, err = io.ReadAll(b)
				m.content, m.trailer = string(content), string(b.content.Chunks().Trailers())
				if framing.Extent == http1.ByChunks && err == nil {
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
			if broken := (*adapt.BodyError)(nil); errors.As(err, &broken) {
				err = broken.Err
			}
			if r := (*adapt.Refusal)(nil); errors.As(err, &r) {
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
func segmentations(t *testing.T, octets []byte, kind adapt.Kind) {
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

// RequestSeeds are requests as they should be, and as attackers write them.
var RequestSeeds = []string{
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
	for _, s := range RequestSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) { segmentations(t, octets, adapt.Request) })
}

func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 x\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nall there is",
		"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ICY 200 OK\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 0200 OK\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) { segmentations(t, octets, adapt.Response) })
}

// FuzzDifferential compares with net/http: a request that both take must be the
// same to both, content, trailers and what follows it.
func FuzzDifferential(f *testing.F) {
	for _, s := range RequestSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		ours, _ := messages(octets, adapt.Request, 0)
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
