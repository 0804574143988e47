package icap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// captures adds what c-icap said as seeds.
func captures(f *testing.F) (said [][]byte) {
	files, err := filepath.Glob("testdata/c-icap/*")
	if err != nil || len(files) == 0 {
		f.Fatal("no captures of c-icap", err)
	}
	for _, file := range files {
		p, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		said = append(said, p)
	}
	return said
}

// script is a connection over which a server says something, whatever it is told.
type script struct {
	io.Reader
	net.Conn
}

func (s script) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s script) Write(p []byte) (int, error) { return len(p), nil }
func (s script) Close() error                { return nil }

// FuzzAnswer lets a server answer anything to messages of both kinds, with and
// without a preview. What comes of it is a whole result or a typed error, and
// net/http reads the header of the result.
func FuzzAnswer(f *testing.F) {
	for _, p := range captures(f) {
		f.Add(p)
	}
	const header = "ICAP/1.0 200 OK\r\nISTag: \"x\"\r\nEncapsulated: "
	for _, s := range []string{
		header + "res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		header + "req-hdr=0, null-body=18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
		header + "res-body=0\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"ICAP/1.0 100 Continue\r\n\r\n" + header + "req-hdr=0, req-body=18\r\n\r\nGET / HTTP/1.1\r\n\r\n3;x=y\r\nabc\r\n0;use-original-body=3\r\nA: b\r\n\r\n",
		"ICAP/1.0 206 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n0; use-original-body=100\r\n\r\n",
		"ICAP/1.0 204 No\r\nX: a\r\n b\r\n\r\n", "ICAP/1.0 503 Busy\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	body := octets(3000)
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, preview := range []int{-1, 0, 1024, 4096} {
			for _, m := range []*Message{download(body, true), upload(body, false), {Method: REQMOD, Request: []byte(getHeader)}} {
				answerWith(t, said, preview, m, body)
			}
		}
	})
}

func answerWith(t *testing.T, said []byte, preview int, m *Message, body []byte) {
	c, err := New(Config{URLs: []string{"icap://192.0.2.1/x"}, Dial: func(context.Context, string, string) (net.Conn, error) {
		return script{Reader: bytes.NewReader(said)}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.servers[0].opts = &options{methods: map[Mode]bool{REQMOD: true, RESPMOD: true}, preview: preview, allow204: true, allow206: true}
	c.servers[0].until = time.Now().Add(time.Hour)
	c.servers[0].asked = time.Now()
	res, err := c.Adapt(context.Background(), m)
	var e *Error
	if err != nil {
		if !errors.As(err, &e) {
			t.Fatalf("error is %v", err)
		}
		if e.Whole && m.Body != nil {
			if rest, err := io.ReadAll(e.Original); err != nil || !bytes.Equal(rest, body) {
				t.Fatalf("of the original %d octets are left, %v", len(rest), err)
			}
		}
		return
	}
	var got []byte
	if res.Body != nil {
		if got, err = io.ReadAll(res.Body); err != nil && !errors.As(err, &e) {
			t.Fatalf("error of the body is %v", err)
		}
		res.Body.Close()
	}
	switch {
	case res.Outcome == Unmodified:
		if res.Header != nil || m.Body != nil && !bytes.Equal(got, body) {
			t.Fatalf("unmodified, header %q, %d octets", res.Header, len(got))
		}
	case m.Method == REQMOD && res.Outcome == Modified:
		checkBlock(t, res.Header)
	default:
		checkBlock(t, res.Header)
		r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(res.Header)), nil)
		if err != nil {
			t.Fatalf("header %q: %v", res.Header, err)
		}
		if len(r.TransferEncoding) > 0 {
			t.Fatalf("header %q frames a body", res.Header)
		}
	}
	if c.servers[0].busy.Load() != 0 {
		t.Fatal("the server is still busy")
	}
}

// checkBlock holds a header block against what Result.Header promises.
func checkBlock(t *testing.T, block []byte) {
	text, ok := strings.CutSuffix(string(block), "\r\n\r\n")
	if !ok || strings.Contains(text, "\r\n\r\n") || strings.ContainsAny(strings.ReplaceAll(text, "\r\n", ""), "\r\n\x00") || strings.Contains(text, "\r\n ") {
		t.Fatalf("header block is %q", block)
	}
}

// FuzzChunks compares with the reader of net/http.
func FuzzChunks(f *testing.F) {
	for _, p := range captures(f) {
		f.Add(p)
		if _, after, ok := bytes.Cut(p, []byte("body=")); ok {
			if _, after, ok = bytes.Cut(after, []byte("\r\n\r\n")); ok {
				f.Add(after)
			}
		}
	}
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "05;a=b\r\nhello\r\n0;use-original-body=7\r\nX: y\r\n\r\n", "0\r\n\r\n", "fffffffffffffff\r\n", "A\r\n0123456789\r\n0; ieof\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		c := newChunks(bufio.NewReader(bytes.NewReader(p)))
		got, err := io.ReadAll(c)
		if (err == nil) != c.done {
			t.Fatalf("done is %v, error %v", c.done, err)
		}
		if err != nil {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(p)))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%q is %q, net/http reads %q, %v", p, got, want, err)
		}
	})
}

// FuzzOptions reads answers to OPTIONS.
func FuzzOptions(f *testing.F) {
	for _, p := range captures(f) {
		f.Add(p)
	}
	for _, s := range []string{
		"Preview: 0\r\n", "Max-Connections: 100\r\nOptions-TTL: 99999999\r\n", "Transfer-Ignore: jpg, *\r\nTransfer-Complete: .exe\r\n", "Allow: 206\r\n", "ISTag: \"\"\r\n",
	} {
		f.Add([]byte("ICAP/1.0 200 OK\r\nMethods: REQMOD\r\nISTag: x\r\n" + s + "\r\n"))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		a, err := readAnswer(bufio.NewReader(bytes.NewReader(p)))
		if err != nil {
			return
		}
		o, err := parseOptions(a)
		if err != nil {
			return
		}
		if o.preview < -1 || o.connections < 0 || o.ttl < minOptionsTTL || o.ttl > maxOptionsTTL || len(o.tag) > maxISTag || len(o.transfer) > maxExtensions {
			t.Fatalf("%+v", o)
		}
		o.handling([]byte(getHeader))
	})
}
