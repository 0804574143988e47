package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http1/http1test"
)

// content reads what follows a head.
func content(f http1.Framing, m http1.Mode, response bool, p []byte) (got []byte, over bool) {
	c := http1.NewContent(f, m, response)
	for !c.Done() {
		n, is, fault := c.Next(p)
		if is {
			got = append(got, p[:n]...)
		}
		if p = p[n:]; len(p) == 0 || fault != http1.Sound {
			break
		}
	}
	return got, c.Done()
}

// FuzzRequest compares with net/http: a request that a strict reader and net/http
// take has one method, target, host, framing and content. A loose reader takes what
// a strict one takes, and reads the same in it.
func FuzzRequest(f *testing.F) {
	for _, h := range http1test.Hosts {
		f.Add([]byte(h.Head))
	}
	for _, s := range []string{
		"POST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.0\r\nContent-Length: 5, 5\r\n\r\nhello",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		var h http1.Head
		n, fault := h.End(p, http1.Strict)
		if n <= 2 || fault != http1.Sound {
			return
		}
		r, fault := http1.ParseRequest(p[:n], http1.Strict, nil)
		if fault != http1.Sound {
			return
		}
		loose, fault := http1.ParseRequest(p[:n], http1.Loose, nil)
		if diff := cmp.Diff(r, loose); fault != http1.Sound || diff != "" {
			t.Fatalf("a loose reader finds %v (-strict +loose):\n%s", fault, diff)
		}
		if found, more := http1.FindHost(p[:n]); more || !cmp.Equal(found, r.Host) {
			t.Fatalf("FindHost: %+v, more %v, want %+v", found, more, r.Host)
		}
		if is, _ := http1.Recognize(p); !is {
			t.Fatal("not recognized")
		}
		want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p)))
		if err != nil {
			return
		}
		if want.Method != string(r.Method) || want.RequestURI != string(r.Target) || want.ProtoMinor != r.Minor {
			t.Fatalf("%q %q %d, net/http reads %q %q %d", r.Method, r.Target, r.Minor, want.Method, want.RequestURI, want.ProtoMinor)
		}
		if host := hostOf(want.Host); host != string(r.Host.Name) {
			t.Fatalf("host %q, net/http reads %q", r.Host.Name, want.Host)
		}
		length := map[http1.Extent]int64{http1.ByLength: r.Framing.Length, http1.ByChunks: -1}[r.Framing.Extent]
		if want.ContentLength != length {
			t.Fatalf("length %d, net/http reads %d", length, want.ContentLength)
		}
		sameContent(t, want.Body, r.Framing, false, p[n:])
	})
}

// hostOf takes port and brackets off the host of net/http.
func hostOf(host string) string {
	if inner, _, ok := strings.Cut(strings.TrimPrefix(host, "["), "]"); ok && host[0] == '[' {
		return inner
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}

// sameContent compares content with that which net/http reads.
func sameContent(t *testing.T, body io.Reader, f http1.Framing, response bool, p []byte) {
	t.Helper()
	want, err := io.ReadAll(body)
	got, over := content(f, http1.Strict, response, p)
	if f.Extent == http1.ByLength && (err == nil) != over {
		t.Fatalf("over %v, net/http says %v", over, err)
	}
	if err == nil && (over || f.Extent == http1.ToClose) && !bytes.Equal(got, want) {
		t.Fatalf("content %q, net/http reads %q", got, want)
	}
	if loose, looseOver := content(f, http1.Loose, response, p); over && (!looseOver || !bytes.Equal(loose, got)) {
		t.Fatalf("content %q, a loose reader reads %q", got, loose)
	}
}

// FuzzResponse compares with net/http as [FuzzRequest] does.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.0 200\r\n\r\nhello", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, p []byte, head bool) {
		var h http1.Head
		n, fault := h.End(p, http1.Strict)
		if n <= 2 || fault != http1.Sound {
			return
		}
		method := "GET"
		if head {
			method = "HEAD"
		}
		r, fault := http1.ParseResponse(p[:n], http1.Strict, nil)
		if fault != http1.Sound {
			return
		}
		loose, fault := http1.ParseResponse(p[:n], http1.Loose, nil)
		if diff := cmp.Diff(r, loose); fault != http1.Sound || diff != "" {
			t.Fatalf("a loose reader finds %v (-strict +loose):\n%s", fault, diff)
		}
		want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(p)), &http.Request{Method: method})
		if err != nil {
			return
		}
		if want.StatusCode != r.Code || want.ProtoMinor != r.Minor {
			t.Fatalf("%d %d, net/http reads %d %d", r.Code, r.Minor, want.StatusCode, want.ProtoMinor)
		}
		sameContent(t, want.Body, r.ContentFor([]byte(method)), true, p[n:])
	})
}

// FuzzChunks compares with the reader of net/http, and pieces with the whole.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "05;a=b\r\nhello\r\n0;c\r\nX: y\r\n\r\n", "0\r\n\r\n", "fffffffffffffff\r\n", "A\n0123456789\n0\n\n",
	} {
		f.Add(s, 3, false)
	}
	f.Fuzz(func(t *testing.T, p string, piece int, loose bool) {
		var whole, cut http1.Chunks
		if loose {
			whole.Mode, cut.Mode = http1.Loose, http1.Loose
		}
		got, framing, rest, fault := unchunk(&whole, p, len(p))
		if len(got)+len(framing)+len(rest) != len(p) {
			t.Fatalf("%d octets of %d", len(got)+len(framing)+len(rest), len(p))
		}
		again, _, restAgain, faultAgain := unchunk(&cut, p, max(1, min(piece, len(p))))
		if again != got || restAgain != rest || faultAgain != fault || whole.Done() != cut.Done() {
			t.Fatalf("%q, %v; in pieces of %d %q, %v", got, fault, piece, again, faultAgain)
		}
		if loose || !whole.Done() {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(p)))
		if err != nil || got != string(want) {
			t.Fatalf("%q, net/http reads %q, %v", got, want, err)
		}
	})
}
