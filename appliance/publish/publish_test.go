package publish

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/certs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func authorities(t *testing.T) (a, b *certs.Authority, m Material) {
	t.Helper()
	var err error
	if a, err = certs.Generate(certs.CreateOptions{CommonName: `<script>alert("1")</script>`}); err != nil {
		t.Fatal(err)
	}
	if b, err = certs.Generate(certs.CreateOptions{CommonName: "Two"}); err != nil {
		t.Fatal(err)
	}
	list, err := certs.NewRevocationList(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a, b, Material{
		Certificates: []*x509.Certificate{a.Certificate(), b.Certificate()}, Next: time.Now().Add(time.Hour),
		Lists: []*certs.RevocationList{list},
	}
}

func get(h http.Handler, method, target string) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result()
}

func TestHandler(t *testing.T) {
	a, _, m := authorities(t)
	h := Handler(func() Material { return m })
	for _, row := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/style.css", 200, "text/css; charset=utf-8"},
		{"GET", "/page.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/trust", 200, "text/plain; charset=utf-8"},
		{"GET", "/clearspan-ca.pem", 200, "application/x-pem-file"},
		{"GET", "/clearspan-ca.cer", 200, "application/x-x509-ca-cert"},
		{"GET", "/clearspan-ca-2.cer", 200, "application/x-x509-ca-cert"},
		{"GET", "/clearspan-ca.p12", 200, "application/x-pkcs12"},
		{"GET", "/clearspan-ca.mobileconfig", 200, "application/x-apple-aspen-config"},
		{"GET", "/" + certs.CRLName(a), 200, "application/pkix-crl"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/metrics", 404, ""},
		{"GET", "/ca.key", 404, ""},
		{"GET", "//clearspan-ca.pem", 404, ""},
		{"GET", "/../clearspan-ca.pem", 404, ""},
		{"POST", "/", 405, ""},
		{"OPTIONS", "/", 405, ""},
		{"DELETE", "/clearspan-ca.pem", 405, ""},
	} {
		r := get(h, row.method, row.path)
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode != row.status || row.kind != "" && r.Header.Get("Content-Type") != row.kind {
			t.Errorf("%s %s: %s, %s", row.method, row.path, r.Status, r.Header.Get("Content-Type"))
		}
		if r.Header.Get("Content-Security-Policy") != policy || r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: header %v", row.method, row.path, r.Header)
		}
		if row.status == 200 && row.method == "GET" && fmt.Sprint(len(body)) != r.Header.Get("Content-Length") {
			t.Errorf("%s: %d octets, length %s", row.path, len(body), r.Header.Get("Content-Length"))
		}
		if strings.Contains(string(body), "PRIVATE KEY") {
			t.Errorf("%s holds a key", row.path)
		}
	}
	m.Certificates = m.Certificates[:1]
	if r := get(h, "GET", "/clearspan-ca-2.cer"); r.StatusCode != 404 {
		t.Errorf("a second certificate where there is one: %s", r.Status)
	}
}

func TestPage(t *testing.T) {
	a, b, m := authorities(t)
	h := Handler(func() Material { return m })
	body, _ := io.ReadAll(get(h, "GET", "/").Body)
	text := string(body)
	for _, want := range []string{
		a.Fingerprint(), b.Fingerprint(), "signs from", "Windows", "macOS", "iOS", "Android", "Debian", "Red Hat", "Firefox", "Java", "curl", "&lt;script", "<main>", "<svg", "http://example.com/",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(text, "<script"); n != 1 || !strings.Contains(text, `<script src="/page.js">`) {
		t.Errorf("%d scripts", n)
	}
	for _, never := range []string{"javascript:", " on", "style=", "https://cdn"} {
		if i := strings.Index(text, never); i >= 0 && (never != " on" || regexp.MustCompile(` on[a-z]+=`).MatchString(text)) {
			t.Errorf("the page holds %q", never)
		}
	}
	// Every link leads somewhere.
	links := regexp.MustCompile(`(?:href|src)="(/[^"]*)"`).FindAllStringSubmatch(text, -1)
	if len(links) < 8 {
		t.Fatalf("%d links", len(links))
	}
	for _, l := range links {
		if r := get(h, "GET", l[1]); r.StatusCode != 200 {
			t.Errorf("%s: %s", l[1], r.Status)
		}
	}
}

// TestConnectionsAreBounded opens more than are served at once: the first ones
// are still answered.
func TestConnectionsAreBounded(t *testing.T) {
	_, _, m := authorities(t)
	s, err := New(Config{Listen: "127.0.0.1:0", Material: func() Material { return m }})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	var conns []net.Conn
	ask := func(c net.Conn, limit time.Duration) error {
		c.SetDeadline(time.Now().Add(limit))
		io.WriteString(c, "GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n")
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r.Body)
		return err
	}
	for range maxConnections {
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
		if err := ask(c, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	over, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	if err := ask(over, 100*time.Millisecond); err == nil {
		t.Error("one connection more than allowed was served")
	}
	if err := ask(conns[0], 10*time.Second); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
