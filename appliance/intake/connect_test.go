package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// seedsConnect are heads with what follows them, and the status of the refusal,
// 0 for those that are accepted, -1 for those that are cut short.
var seedsConnect = []struct {
	name, in string
	status   int
	rest     string
}{
	{"plain", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", 0, ""},
	{"octets after the head", "CONNECT a.test:443 HTTP/1.1\r\n\r\n\x16\x03\x01", 0, "\x16\x03\x01"},
	{"HTTP/1.0", "CONNECT 192.0.2.1:25 HTTP/1.0\r\n\r\n", 0, ""},
	{"IPv6", "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", 0, ""},
	{"empty value", "CONNECT a.test:443 HTTP/1.1\r\nUser-Agent:\r\n\r\n", 0, ""},
	{"content of no octets", "CONNECT a.test:443 HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 0, ""},
	{"long but not too long", "CONNECT a.test:443 HTTP/1.1\r\nA: " + strings.Repeat("x", maxHead-36) + "\r\n\r\n", 0, ""},

	{"cut in the line", "CONNECT a.test:443", -1, ""},
	{"cut in the head", "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n", -1, ""},
	{"no port", "CONNECT a.test HTTP/1.1\r\n\r\n", http.StatusBadRequest, ""},
	{"absolute form", "CONNECT http://a.test:443/ HTTP/1.1\r\n\r\n", http.StatusBadRequest, ""},
	{"no version", "CONNECT a.test:443\r\n\r\n", http.StatusBadRequest, ""},
	{"two spaces", "CONNECT  a.test:443 HTTP/1.1\r\n\r\n", http.StatusBadRequest, ""},
	{"other version", "CONNECT a.test:443 HTTP/2.0\r\n\r\n", http.StatusHTTPVersionNotSupported, ""},
	{"bare LF", "CONNECT a.test:443 HTTP/1.1\n\n", http.StatusBadRequest, ""},
	{"bare LF in a field", "CONNECT a.test:443 HTTP/1.1\r\nA: b\nC: d\r\n\r\n", http.StatusBadRequest, ""},
	{"bare CR", "CONNECT a.test:443 HTTP/1.1\r\nA: b\rC\r\n\r\n", http.StatusBadRequest, ""},
	{"NUL", "CONNECT a.test:443 HTTP/1.1\r\nA: \x00\r\n\r\n", http.StatusBadRequest, ""},
	{"folded field", "CONNECT a.test:443 HTTP/1.1\r\nA: b\r\n c\r\n\r\n", http.StatusBadRequest, ""},
	{"space before colon", "CONNECT a.test:443 HTTP/1.1\r\nHost : a.test\r\n\r\n", http.StatusBadRequest, ""},
	{"no colon", "CONNECT a.test:443 HTTP/1.1\r\nHost\r\n\r\n", http.StatusBadRequest, ""},
	{"no name", "CONNECT a.test:443 HTTP/1.1\r\n: x\r\n\r\n", http.StatusBadRequest, ""},
	{"content", "CONNECT a.test:443 HTTP/1.1\r\ncontent-length: 3\r\n\r\n", http.StatusBadRequest, ""},
	{"chunked", "CONNECT a.test:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", http.StatusBadRequest, ""},
	{"long line", "CONNECT " + strings.Repeat("a", maxHead), http.StatusRequestHeaderFieldsTooLarge, ""},
	{"many fields", "CONNECT a.test:443 HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", maxHead/6), http.StatusRequestHeaderFieldsTooLarge, ""},
	{"one octet too long", "CONNECT a.test:443 HTTP/1.1\r\nA: " + strings.Repeat("x", maxHead-35) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge, ""},
}

func TestReadConnect(t *testing.T) {
	for _, c := range seedsConnect {
		t.Run(c.name, func(t *testing.T) {
			r := bufio.NewReaderSize(strings.NewReader(c.in), maxHead)
			d, err := readConnect(r)
			var refused *httpError
			switch {
			case c.status == 0:
				if err != nil {
					t.Fatal(err)
				}
				if rest, _ := io.ReadAll(r); string(rest) != c.rest {
					t.Errorf("left %q, want %q", rest, c.rest)
				}
			case errors.As(err, &refused):
				if refused.status != c.status {
					t.Errorf("status %d (%v), want %d", refused.status, err, c.status)
				}
			case c.status != -1 || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
				t.Errorf("got %v, %v, want status %d", d, err, c.status)
			}
		})
	}
}

// What is accepted is a CONNECT request to net/http too, to the same place.
func FuzzReadConnect(f *testing.F) {
	for _, c := range seedsConnect {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(in), maxHead)
		d, err := readConnect(r)
		if err != nil {
			return
		}
		checkDestination(t, d)
		rest, _ := io.ReadAll(r)
		head := in[:len(in)-len(rest)]
		if len(head) > maxHead || !bytes.HasSuffix(head, []byte("\r\n\r\n")) || !bytes.HasSuffix(in, rest) {
			t.Fatalf("head %q", head)
		}
		other, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if err != nil {
			// net/http is stricter about Host and duplicate fields only.
			if bytes.Contains(bytes.ToLower(head), []byte("\nhost:")) || bytes.Contains(bytes.ToLower(head), []byte("\ncontent-length:")) {
				return
			}
			t.Fatalf("net/http refuses %q: %v", head, err)
		}
		if same, err := parseAuthority(other.RequestURI, 0); other.Method != http.MethodConnect || err != nil || same != d {
			t.Fatalf("net/http reads %q of %q, want %v", other.RequestURI, head, d)
		}
	})
}
