package icap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const (
	getHeader  = "GET /a/file.bin HTTP/1.1\r\nHost: www.example.test\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nAccept: */*\r\n\r\n"
	postHeader = "POST /up HTTP/1.1\r\nHost: www.example.test\r\nTransfer-Encoding: chunked\r\n\r\n"
	okHeader   = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=b\r\n\r\n"
)

// octets returns n octets that look random and are always the same.
func octets(n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(p)
	return p
}

// download is a response with that body.
func download(body []byte, length bool) *Message {
	m := &Message{Method: RESPMOD, Request: []byte(getHeader), Response: []byte(okHeader), Body: bytes.NewReader(body), Length: -1}
	if length {
		m.Length = int64(len(body))
	}
	return m
}

func upload(body []byte, length bool) *Message {
	m := download(body, length)
	m.Method, m.Request, m.Response = REQMOD, []byte(postHeader), nil
	return m
}

// adapt has c adapt m and returns the result with its body.
func adapt(t *testing.T, c *Client, m *Message) (*Result, []byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := c.Adapt(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	if res.Body == nil {
		return res, nil, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// want fails the test unless a message was adapted so.
func want(t *testing.T, c *Client, m *Message, outcome Outcome, body []byte) *Result {
	t.Helper()
	res, got, err := adapt(t, c, m)
	if err != nil {
		t.Fatal(err)
	}
	if res.Outcome != outcome {
		t.Errorf("outcome is %v, want %v", res.Outcome, outcome)
	}
	if !bytes.Equal(got, body) {
		t.Errorf("body has %d octets, want %d; or they differ", len(got), len(body))
	}
	return res
}

// sizes are around the edges of previews, chunks and what is kept.
var sizes = []int{0, 1, 1023, 1024, 1025, 4096, maxChunk - 1, maxChunk, maxChunk + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20}

func TestEcho(t *testing.T) {
	for _, options := range []string{usualOptions, "Methods: REQMOD, RESPMOD\r\nISTag: double-1\r\n", strings.Replace(usualOptions, "1024", "0", 1)} {
		d := serve(t, options, echo)
		c := client(t, nil, d)
		for _, n := range sizes {
			for _, length := range []bool{true, false} {
				t.Run(fmt.Sprint(n, length), func(t *testing.T) {
					body := octets(n)
					if n == 0 && length {
						want(t, c, download(body, length), Unmodified, body)
						return
					}
					res := want(t, c, download(body, length), Modified, body)
					if s := string(res.Header); strings.Contains(s, "chunked") || !strings.Contains(s, "Set-Cookie: a=b\r\n") || !strings.Contains(s, "Keep-Alive: timeout=5\r\n") {
						t.Errorf("header is %q", s)
					}
					want(t, c, upload(body, length), Modified, body)
					slow := upload(body, length)
					if n <= 4096 {
						slow.Body = iotest.OneByteReader(slow.Body)
						want(t, c, slow, Modified, body)
					}
				})
			}
		}
		if n := d.accepted.Load(); n != 2 { // one for OPTIONS
			t.Errorf("%d connections, want 2: they do not persist", n)
		}
	}
}

func TestUnmodified(t *testing.T) {
	previewed := false
	d := serve(t, usualOptions, func(r *received) {
		if !previewed {
			if err := r.body(io.Discard); err != nil {
				r.close()
				return
			}
		}
		if r.continued && !strings.Contains(r.header.Get("Allow"), "204") {
			t.Errorf("preview of %d octets and the rest, 204 is not allowed", len(r.preview))
		}
		r.say("ICAP/1.0 204 No Content\r\nISTag: \"double-1\"\r\nEncapsulated: null-body=0\r\n\r\n")
	})
	c := client(t, nil, d)
	for _, previewed = range []bool{true, false} {
		for _, n := range sizes {
			for _, length := range []bool{true, false} {
				if !previewed && (n > 64<<10 || !length && n >= 1024) {
					continue // 204 is not allowed
				}
				body := octets(n)
				for _, m := range []*Message{download(body, length), upload(body, length)} {
					m.Body = iotest.HalfReader(m.Body)
					res := want(t, c, m, Unmodified, body)
					if res.Header != nil || res.Detail.Preview != ((n > 0 || !length) && (previewed || n <= 1024)) || res.Detail.Status != 204 {
						t.Errorf("%d octets, previewed %v: %+v", n, previewed, res.Detail)
					}
				}
			}
		}
		bare := &Message{Method: REQMOD, Request: []byte(getHeader)}
		if res := want(t, c, bare, Unmodified, nil); res.Body != nil {
			t.Error("a message without a body has one")
		}
	}
	if n := d.accepted.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// A message without a body that comes back as it was is unmodified.
func TestEqual(t *testing.T) {
	c := client(t, nil, serve(t, usualOptions, echo))
	want(t, c, &Message{Method: REQMOD, Request: []byte(getHeader)}, Unmodified, nil)
}

func TestModifiedRequest(t *testing.T) {
	c := client(t, nil, serve(t, usualOptions, func(r *received) {
		if bytes.Contains(r.reqHdr, []byte("Connection")) || !bytes.Contains(r.reqHdr, []byte("X-Hop: 1\r\n")) {
			t.Errorf("shown are %q", r.reqHdr)
		}
		r.answer(200, []byte("GET /other HTTP/1.1\r\nHost: www.example.test\r\nTE: x\r\n\r\n"), "null-body", "")
	}))
	res := want(t, c, &Message{Method: REQMOD, Request: []byte(getHeader)}, Modified, nil)
	const header = "GET /other HTTP/1.1\r\nHost: www.example.test\r\nConnection: keep-alive, X-Hop\r\n\r\n"
	if string(res.Header) != header {
		t.Errorf("header is %q, want %q", res.Header, header)
	}
}

func TestBlocked(t *testing.T) {
	const page = "<h1>no</h1>"
	block := "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n"
	c := client(t, nil, serve(t, usualOptions, func(r *received) {
		if r.body(io.Discard) != nil {
			r.close()
			return
		}
		r.say("ICAP/1.0 200 OK\r\nISTag: \"double-1\"\r\nX-Infection-Found: Type=0; Resolution=2; Threat=EICAR;\r\n"+
			"Encapsulated: res-hdr=0, res-body=%d\r\n\r\n%sb\r\n%s\r\n0\r\n\r\n", len(block), block, page)
	}))
	for _, m := range []*Message{upload(octets(5000), true), download(octets(100<<10), false)} {
		res := want(t, c, m, Blocked, []byte(page))
		if string(res.Header) != block && m.Method == REQMOD {
			t.Errorf("header is %q", res.Header)
		}
		if res.Detail.Infection != "Type=0; Resolution=2; Threat=EICAR;" {
			t.Errorf("%+v", res.Detail)
		}
	}
}

func TestPartial(t *testing.T) {
	body := octets(100 << 10)
	for _, at := range []int{0, 1, 1000, 1024, 1025, 50_000, 100 << 10} {
		c := client(t, nil, serve(t, usualOptions, func(r *received) {
			if !strings.Contains(r.header.Get("Allow"), "206") {
				t.Errorf("Allow is %q", r.header.Get("Allow"))
			}
			block, _, part := r.own()
			r.answer(206, block, part, "")
			r.say("5\r\nfirst\r\n0; use-original-body=%d\r\n\r\n", at)
		}))
		for _, length := range []bool{true, false} {
			want(t, c, download(body, length), Modified, append([]byte("first"), body[at:]...))
			want(t, c, upload(body, length), Modified, append([]byte("first"), body[at:]...))
		}
		c.Close()
	}
}

func TestTold(t *testing.T) {
	var got *received
	d := serve(t, usualOptions, func(r *received) { got = r; echo(r) })
	m := &Message{
		Method: REQMOD, Request: []byte(getHeader), User: "eve\r\nX-Injected: 1",
		Client: netip.MustParseAddrPort("[::ffff:192.0.2.7]:1234"), Server: netip.MustParseAddrPort("[2001:db8::1%eth0]:443"),
	}
	all := []Fact{ClientIP, ClientPort, ServerIP, User}
	for _, tt := range []struct {
		name, user, told string
		facts            []Fact
	}{
		{"base64", m.User, "TG9jYWw6Ly9ldmUNClgtSW5qZWN0ZWQ6IDE=", all},
		{"plain", "eve", "eve", all},
		{"plain, not printable", m.User, "", all},
		{"nothing", "eve", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t, func(cfg *Config) { cfg.Tell, cfg.PlainUser = tt.facts, strings.HasPrefix(tt.name, "plain") }, d)
			m.User = tt.user
			if _, _, err := adapt(t, c, m); err != nil {
				t.Fatal(err)
			}
			for name, told := range map[string]string{
				"X-Client-Ip": "192.0.2.7", "X-Client-Port": "1234", "X-Server-Ip": "2001:db8::1", "X-Authenticated-User": tt.told, "X-Injected": "",
			} {
				if tt.facts == nil {
					told = ""
				}
				if v := got.header.Get(name); v != told {
					t.Errorf("%s is %q, want %q", name, v, told)
				}
			}
		})
	}
	c := client(t, nil, d)
	for _, header := range []string{"", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y"} {
		_, err := c.Adapt(context.Background(), &Message{Method: REQMOD, Request: []byte(header)})
		if e := (*Error)(nil); err == nil || errors.As(err, &e) {
			t.Errorf("header block %q: %v", header, err)
		}
	}
}

func TestBodyFails(t *testing.T) {
	broken := errors.New("leg broke")
	c := client(t, nil, serve(t, usualOptions, echo))
	for _, n := range []int{0, 100, 5000, 500_000} {
		m := download(octets(n), false)
		m.Body = io.MultiReader(m.Body, iotest.ErrReader(broken))
		if _, _, err := adapt(t, c, m); err != broken {
			t.Errorf("after %d octets: %v", n, err)
		}
		m = download(octets(n), false)
		m.Length = int64(n) + 1
		if _, _, err := adapt(t, c, m); err != io.ErrUnexpectedEOF {
			t.Errorf("one octet short of %d: %v", n, err)
		}
	}
}

func TestMaxBody(t *testing.T) {
	d := serve(t, usualOptions, func(r *received) {
		if r.body(io.Discard) != nil {
			r.close()
			return
		}
		r.say("ICAP/1.0 204 No Content\r\n\r\n")
	})
	limited := func(c *Config) { c.MaxBody = 10_000 }
	c := client(t, limited, d)
	for _, length := range []bool{true, false} {
		body := octets(10_000)
		if length {
			if res := want(t, c, download(body, length), Unmodified, body); res.Detail.Bypass != "" {
				t.Errorf("%+v", res.Detail)
			}
		}
		body = octets(10_001)
		if res := want(t, c, download(body, length), Unmodified, body); res.Detail.Bypass != "max-body" {
			t.Errorf("%+v", res.Detail)
		}
		strict := client(t, func(c *Config) { limited(c); c.Oversize = true }, d)
		_, err := strict.Adapt(context.Background(), download(body, length))
		wantKind(t, err, TooLarge)
	}
	c = client(t, func(c *Config) { c.MaxBody = 100_000 }, d)
	_, err := c.Adapt(context.Background(), download(octets(1<<20), false)) // too much was read
	wantKind(t, err, TooLarge)
}

func wantKind(t *testing.T, err error, kind Reason) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want one of kind %v", err, kind)
	}
	if e.Kind != kind {
		t.Errorf("error is %v, want one of kind %v", err, kind)
	}
	return e
}

func TestTransfer(t *testing.T) {
	d := serve(t, usualOptions+"Transfer-Preview: *\r\nTransfer-Ignore: jpg, PNG\r\nTransfer-Complete: exe\r\n", echo)
	c := client(t, nil, d)
	for _, tt := range []struct{ target, bypass string }{
		{"/a.jpg?x=.exe", "transfer-ignore"}, {"/a.b/c.png", "transfer-ignore"}, {"/a.exe", ""}, {"/a.jpg/", ""}, {"/", ""},
	} {
		m := download(octets(3000), true)
		m.Request = []byte("GET " + tt.target + " HTTP/1.1\r\nHost: a\r\n\r\n")
		res, body, err := adapt(t, c, m)
		if err != nil || len(body) != 3000 || res.Detail.Bypass != tt.bypass {
			t.Errorf("%s: %+v, %d octets, %v", tt.target, res, len(body), err)
		}
	}
}

func TestThreat(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    Detail
		want string
	}{
		{"nothing", Detail{}, ""},
		{"infection", Detail{Infection: "Type=0; Resolution=2; Threat=Eicar-Test;", Virus: "other"}, "Eicar-Test"},
		{"infection without a threat", Detail{Infection: "Type=0; Threat=;"}, "Type=0; Threat=;"},
		{"virus", Detail{Virus: "Eicar-Test"}, "Eicar-Test"},
		{"no violation", Detail{Violation: "0"}, ""},
		{"violation", Detail{Violation: "1 a.exe Eicar 5 2"}, "1 a.exe Eicar 5 2"},
	} {
		if got := tt.d.Threat(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
