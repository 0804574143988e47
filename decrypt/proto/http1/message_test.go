package http1_test

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

func TestRequestLines(t *testing.T) {
	for _, tt := range []struct {
		line          string
		strict, loose http1.Fault
		form          http1.Form
		target, path  string
	}{
		{"GET /a?b HTTP/1.1", http1.Sound, http1.Sound, http1.OriginForm, "/a?b", "/a?b"},
		{"GET http://u@a.test:81/b?c HTTP/1.0", http1.Sound, http1.Sound, http1.AbsoluteForm, "http://u@a.test:81/b?c", "/b?c"},
		{"GET http://a.test HTTP/1.1", http1.Sound, http1.Sound, http1.AbsoluteForm, "http://a.test", ""},
		{"CONNECT a.test:443 HTTP/1.1", http1.Sound, http1.Sound, http1.AuthorityForm, "a.test:443", ""},
		{"OPTIONS * HTTP/1.1", http1.Sound, http1.Sound, http1.AsteriskForm, "*", ""},
		{"GET a.test HTTP/1.1", http1.BadStart, http1.Sound, http1.NoForm, "a.test", ""},
		{"GET /a b HTTP/1.1", http1.BadVersion, http1.Sound, http1.OriginForm, "/a b", "/a b"},
		{"  GET \t/a\v HTTP/1.1 ", http1.Control, http1.Sound, http1.OriginForm, "/a", "/a"},
		{"GET /a\tb HTTP/1.1", http1.BadStart, http1.Sound, http1.OriginForm, "/a\tb", "/a\tb"},
		{"GET /\x00 HTTP/1.1", http1.Control, http1.Sound, http1.OriginForm, "/\x00", "/\x00"},
		{"GET /\r HTTP/1.1", http1.BareCR, http1.Sound, http1.OriginForm, "/", "/"},
		{"GET / HTTP/2.0", http1.BadVersion, http1.BadVersion, http1.OriginForm, "/", "/"},
		{"GET / http/1.1", http1.BadVersion, http1.Sound, http1.OriginForm, "/", "/"},
		{"GET /", http1.BadStart, http1.BadStart, http1.NoForm, "", ""},
		{"GET HTTP/1.1", http1.BadStart, http1.BadStart, http1.NoForm, "", ""},
		{"G{T / HTTP/1.1", http1.BadStart, http1.BadStart, http1.NoForm, "", ""},
		{" HTTP/1.1", http1.BadStart, http1.BadStart, http1.NoForm, "", ""},
		{"", http1.BadStart, http1.BadStart, http1.NoForm, "", ""},
	} {
		t.Run(tt.line, func(t *testing.T) {
			head := []byte(tt.line + "\r\nHost: a\r\n\r\n")
			if _, fault := http1.ParseRequest(head, http1.Strict, nil); fault != tt.strict {
				t.Errorf("strict: %v, want %v", fault, tt.strict)
			}
			r, fault := http1.ParseRequest(head, http1.Loose, nil)
			if fault != tt.loose {
				t.Errorf("loose: %v, want %v", fault, tt.loose)
			}
			if fault == http1.Sound && (r.Form != tt.form || string(r.Target) != tt.target || string(r.Path) != tt.path) {
				t.Errorf("loose: form %v, target %q, path %q", r.Form, r.Target, r.Path)
			}
		})
	}
}

func TestStatusLines(t *testing.T) {
	for _, tt := range []struct {
		line          string
		strict, loose http1.Fault
		code          int
		reason        string
	}{
		{"HTTP/1.1 200 OK", http1.Sound, http1.Sound, 200, "OK"},
		{"HTTP/1.0 404 Not Found", http1.Sound, http1.Sound, 404, "Not Found"},
		{"HTTP/1.1 204 ", http1.Sound, http1.Sound, 204, ""},
		{"HTTP/1.1 204", http1.Sound, http1.Sound, 204, ""},
		{"HTTP/1.1  200 OK", http1.BadStart, http1.Sound, 200, "OK"},
		{"HTTP/1.1 2000", http1.BadStart, http1.Sound, 200, "0"},
		{"HTTP/1.1 200 \x00", http1.Control, http1.Sound, 200, "\x00"},
		{"HTTP/1.2 200 OK", http1.BadVersion, http1.Sound, 200, "OK"},
		{"HTTP/2 200", http1.BadVersion, http1.BadVersion, 200, ""},
		{"ICAP/1.0 200 OK", http1.BadVersion, http1.BadVersion, 200, "OK"},
		{"HTTP/1.1 099 x", http1.BadStart, http1.BadStart, 0, ""},
		{"HTTP/1.1 +20 x", http1.BadStart, http1.BadStart, 0, ""},
		{"HTTP/1.1 20", http1.BadStart, http1.BadStart, 0, ""},
		{"HTTP/1.1", http1.BadStart, http1.BadStart, 0, ""},
	} {
		t.Run(tt.line, func(t *testing.T) {
			head := []byte(tt.line + "\r\n\r\n")
			if _, fault := http1.ParseResponse(head, http1.Strict, nil); fault != tt.strict {
				t.Errorf("strict: %v, want %v", fault, tt.strict)
			}
			r, fault := http1.ParseResponse(head, http1.Loose, nil)
			if fault != tt.loose || fault == http1.Sound && (r.Code != tt.code || string(r.Reason) != tt.reason) {
				t.Errorf("loose: %v, %d, %q", fault, r.Code, r.Reason)
			}
		})
	}
}

// TestFraming has the fields of requests and responses that tell where content ends.
func TestFraming(t *testing.T) {
	type verdict struct {
		fault http1.Fault
		f     http1.Framing
	}
	sound := func(e http1.Extent, n int64) verdict { return verdict{f: http1.Framing{Extent: e, Length: n}} }
	bad := func(f http1.Fault) verdict { return verdict{fault: f} }
	none, five, chunks, toClose := sound(http1.NoContent, 0), sound(http1.ByLength, 5), sound(http1.ByChunks, 0), sound(http1.ToClose, 0)
	for _, tt := range []struct {
		name                                       string
		old                                        bool // HTTP/1.0
		fields                                     string
		strictReq, looseReq, strictResp, looseResp verdict
	}{
		{"none", false, "", none, none, toClose, toClose},
		{"length", false, "Content-Length: 5\r\n", five, five, five, five},
		{"no octets", false, "content-length:0\r\n", none, none, none, none},
		{"chunks", false, "Transfer-Encoding: Chunked\r\n", chunks, chunks, chunks, chunks},
		{"two equal lengths", false, "Content-Length: 5\r\nContent-Length: 5\r\n", bad(http1.DuplicateLength), five, five, five},
		{"two lengths", false, "Content-Length: 5\r\nContent-Length: 6\r\n", bad(http1.DuplicateLength), bad(http1.DuplicateLength), bad(http1.DuplicateLength), bad(http1.DuplicateLength)},
		{"list of equal lengths", false, "Content-Length: 5, 5\r\n", bad(http1.BadLength), five, bad(http1.BadLength), five},
		{"list of lengths", false, "Content-Length: 5, 6\r\n", bad(http1.BadLength), bad(http1.DuplicateLength), bad(http1.BadLength), bad(http1.DuplicateLength)},
		{"signed length", false, "Content-Length: +5\r\n", bad(http1.BadLength), bad(http1.BadLength), bad(http1.BadLength), bad(http1.BadLength)},
		{"empty length", false, "Content-Length:\r\n", bad(http1.BadLength), bad(http1.BadLength), bad(http1.BadLength), bad(http1.BadLength)},
		{"longest length", false, "Content-Length: 000000000000000005\r\n", five, five, five, five},
		{"length too long", false, "Content-Length: 1000000000000000000\r\n", bad(http1.BadLength), bad(http1.BadLength), bad(http1.BadLength), bad(http1.BadLength)},
		{"length with underscore", false, "Content_Length: 5\r\n", bad(http1.BadName), none, bad(http1.BadName), toClose},
		{"length and chunks", false, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", bad(http1.LengthAndCoding), chunks, bad(http1.LengthAndCoding), chunks},
		{"bad length and chunks", false, "Content-Length: x\r\nTransfer-Encoding: chunked\r\n", bad(http1.BadLength), chunks, bad(http1.BadLength), chunks},
		{"chunks in HTTP/1.0", true, "Transfer-Encoding: chunked\r\n", bad(http1.OldCoding), chunks, bad(http1.OldCoding), chunks},
		{"chunks twice", false, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", bad(http1.BadCoding), chunks, bad(http1.BadCoding), chunks},
		{"two codings", false, "Transfer-Encoding: gzip, chunked\r\n", bad(http1.BadCoding), chunks, bad(http1.BadCoding), chunks},
		{"two codings, folded", false, "Transfer-Encoding: gzip,\r\n chunked\r\n", bad(http1.BadCoding), chunks, bad(http1.BadCoding), chunks},
		{"two fields", false, "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", bad(http1.BadCoding), chunks, bad(http1.BadCoding), chunks},
		{"chunks not last", false, "Transfer-Encoding: chunked, gzip\r\n", bad(http1.BadCoding), bad(http1.BadCoding), bad(http1.BadCoding), toClose},
		{"identity", false, "Transfer-Encoding: identity\r\nContent-Length: 5\r\n", bad(http1.BadCoding), five, bad(http1.BadCoding), five},
		{"blank before the colon", false, "Content-Length : 5\r\n", bad(http1.BadName), five, bad(http1.BadName), five},
		{"bare LF", false, "X: y\nContent-Length: 5\r\n", bad(http1.BareLF), five, bad(http1.BareLF), five},
		{"control octet", false, "X: \x01\r\nContent-Length: 5\r\n", bad(http1.Control), five, bad(http1.Control), five},
		{"bare CR", false, "X: a\rb\r\nContent-Length: 5\r\n", bad(http1.BareCR), five, bad(http1.BareCR), five},
		{"folded line", false, "X: a\r\n b\r\nContent-Length: 5\r\n", bad(http1.Folded), five, bad(http1.Folded), five},
		{"no colon", false, "X\r\nContent-Length: 5\r\n", bad(http1.BadName), five, bad(http1.BadName), five},
	} {
		t.Run(tt.name, func(t *testing.T) {
			version := "HTTP/1.1"
			if tt.old {
				version = "HTTP/1.0"
			}
			request := []byte("POST / " + version + "\r\nHost: a\r\n" + tt.fields + "\r\n")
			response := []byte(version + " 200 OK\r\n" + tt.fields + "\r\n")
			for m, want := range []verdict{tt.strictReq, tt.looseReq} {
				r, fault := http1.ParseRequest(request, http1.Mode(m), nil)
				if got := (verdict{fault, r.Framing}); got != want {
					t.Errorf("request, mode %d: %v, want %v", m, got, want)
				}
			}
			for m, want := range []verdict{tt.strictResp, tt.looseResp} {
				r, fault := http1.ParseResponse(response, http1.Mode(m), nil)
				if got := (verdict{fault, r.Framing}); got != want {
					t.Errorf("response, mode %d: %v, want %v", m, got, want)
				}
			}
		})
	}
	connect := []byte("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
	if _, fault := http1.ParseRequest(connect, http1.Strict, nil); fault != http1.ConnectBody {
		t.Errorf("CONNECT with content: %v", fault)
	}
}

func TestContentFor(t *testing.T) {
	for _, tt := range []struct {
		method, status string
		want           http1.Extent
		switches       bool
	}{
		{"GET", "200", http1.ByLength, false},
		{"HEAD", "200", http1.NoContent, false},
		{"GET", "100", http1.NoContent, false},
		{"GET", "204", http1.NoContent, false},
		{"GET", "304", http1.NoContent, false},
		{"GET", "101", http1.NoContent, true},
		{"CONNECT", "200", http1.NoContent, true},
		{"CONNECT", "403", http1.ByLength, false},
	} {
		r, _ := http1.ParseResponse([]byte("HTTP/1.1 "+tt.status+"\r\nContent-Length: 5\r\n\r\n"), http1.Strict, nil)
		if got := r.ContentFor([]byte(tt.method)).Extent; got != tt.want || r.Switches([]byte(tt.method)) != tt.switches {
			t.Errorf("%s, %s: %v, switches %v", tt.method, tt.status, got, r.Switches([]byte(tt.method)))
		}
	}
}

func TestHead(t *testing.T) {
	for _, tt := range []struct {
		name, octets  string
		strict, loose int // length of the head
		fault         http1.Fault
	}{
		{"whole", "GET / HTTP/1.1\r\nA: b\r\n\r\nrest", 24, 24, http1.Sound},
		{"no fields", "GET / HTTP/1.1\r\n\r\n", 18, 18, http1.Sound},
		{"empty line", "\r\nGET / HTTP/1.1\r\n\r\n", 2, 2, http1.Sound},
		{"half", "GET / HTTP/1.1\r\nA: b\r\n\r", 0, 0, http1.Sound},
		{"bare LF", "A\n\nrest", 0, 3, http1.BareLF},
		{"LF, then CRLF", "A\n\r\nrest", 0, 4, http1.BareLF},
		{"CRLF, then LF", "A\r\n\nrest", 0, 4, http1.BareLF},
		{"CR before the empty line", "A\r\n\r\r\n\r\n", 8, 8, http1.Sound},
		{"nothing", "", 0, 0, http1.Sound},
	} {
		for m, want := range []int{tt.strict, tt.loose} {
			var h http1.Head
			n, fault := 0, http1.Sound
			for i := 0; i <= len(tt.octets) && n == 0 && fault == http1.Sound; i++ {
				n, fault = h.End([]byte(tt.octets[:i]), http1.Mode(m))
			}
			if n != want || http1.Mode(m) == http1.Strict && fault != tt.fault {
				t.Errorf("%s, mode %d: %d, %v", tt.name, m, n, fault)
			}
			if whole, _ := new(http1.Head).End([]byte(tt.octets), http1.Mode(m)); whole != want {
				t.Errorf("%s, mode %d, at once: %d", tt.name, m, whole)
			}
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	request := []byte("POST /a HTTP/1.1\r\nHost: a.test:81\r\nAccept: */*\r\nContent-Length: 5, 5\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
	response := []byte("HTTP/1.1 200 OK\r\nServer: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunked := []byte("5;a=b\r\nhello\r\n" + strings.Repeat("1\r\nx\r\n", 100) + "0\r\nA: b\r\n\r\n")
	var types, fields, content int
	if n := testing.AllocsPerRun(100, func() {
		http1.Recognize(request)
		http1.FindHost(request)
		for _, p := range [][]byte{request, response} {
			var h http1.Head
			h.End(p, http1.Strict)
			for f := range http1.Fields(http1.Section(p)) {
				fields += len(f.Line)
			}
		}
		http1.ParseRequest(request, http1.Loose, func(f http1.Field) {
			if http1.Is(f.Name, "content-type") {
				types++
			}
		})
		r, _ := http1.ParseResponse(response, http1.Strict, func(f http1.Field) { fields++ })
		c := http1.NewContent(r.ContentFor([]byte("GET")), http1.Loose, true)
		for p := chunked; !c.Done(); {
			n, is, fault := c.Next(p)
			if fault != http1.Sound {
				t.Fatal(fault)
			}
			if is {
				content += n
			}
			p = p[n:]
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
