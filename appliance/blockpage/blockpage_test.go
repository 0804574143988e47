package blockpage

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func session() *decrypt.Session {
	return &decrypt.Session{
		ID: "00112233445566ff", Client: netip.MustParseAddrPort("10.0.0.7:50123"), Origin: netip.MustParseAddrPort("192.0.2.1:443"),
		Start: time.Unix(0, 0), SNI: "www.evil.test", Decision: policy.Decision{Rule: "evil", Action: policy.Terminate},
		Outcome: decrypt.Terminated, Reason: "policy",
	}
}

func load(t *testing.T, text string) (*Page, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(file)
}

func TestLoad(t *testing.T) {
	for _, tt := range []struct{ name, text, fault string }{
		{"all facts", "{{.Host}} {{.Reason}} {{.Explanation}} {{.Policy}} {{.Rule}} {{.Session}} {{.Client}} {{.Time}}", ""},
		{"no template", "<p>no</p>", ""},
		{"unknown fact", "{{.Password}}", "Password"},
		{"syntax", "{{if}}", "missing value"},
		{"endless", "{{range 1000000000}}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{end}}", "too long"},
		{"long", strings.Repeat("x", maxTemplate+1), "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, tt.text)
			if (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("error %v, want %q", err, tt.fault)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent file is no error")
	}
}

func TestHTML(t *testing.T) {
	const attack = `"><script>alert(1)</script>`
	custom, err := load(t, `<a title="{{.Host}}">{{.Rule}}|{{.Reason}}|{{.Session}}|{{.Client}}|{{.Time}}</a>{{if eq .Host "fail"}}{{index .Host 99}}{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	builtIn, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	s := session()
	if got, want := string(custom.HTML(s)), `<a title="www.evil.test">evil|policy|00112233445566ff|10.0.0.7|1970-01-01T00:00:00Z</a>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, p := range []*Page{custom, builtIn} {
		s := session()
		s.SNI, s.Name, s.Decision.Rule = "", attack, attack
		if got := string(p.HTML(s)); strings.Contains(got, "<script") || !strings.Contains(got, "&lt;script&gt;") {
			t.Errorf("not escaped: %s", got)
		}
	}
	s.SNI = "fail" // the template fails; the built-in one is shown
	if got := string(custom.HTML(s)); !strings.Contains(got, `<dd id="rule">evil</dd>`) {
		t.Errorf("got %s", got)
	}
	s = session()
	s.SNI, s.Outcome, s.Reason = "", decrypt.Failed, "expired"
	if got := string(builtIn.HTML(s)); !strings.Contains(got, "does not trust 192.0.2.1") || !strings.Contains(got, "has expired") || Status(s) != 502 {
		t.Errorf("status %d, got %s", Status(s), got)
	}
	s.Reason = "unheard-of"
	if got := string(builtIn.HTML(s)); !strings.Contains(got, "could not be verified") {
		t.Errorf("got %s", got)
	}
}

// serving has Serve answer on the far end of a TCP connection, whose near end is
// returned. done is closed when it has returned.
func serving(t *testing.T, wrap func(net.Conn) net.Conn) (conn net.Conn, done chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	near.SetDeadline(time.Now().Add(20 * time.Second))
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	page, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan struct{})
	go func() {
		defer close(done)
		page.Serve(session(), wrap(far))
	}()
	return near, done
}

func plain(c net.Conn) net.Conn { return c }

func TestServe(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	server := certificate.TLS.Certificates
	certificate.Close()
	for _, tt := range []struct {
		name   string
		alpn   []string // nil: not encrypted
		h2     bool
		method string
	}{
		{"plain", nil, false, "GET"},
		{"plain, HEAD", nil, false, "HEAD"},
		{"plain, HTTP/2", nil, true, "GET"},
		{"HTTP/1.1", []string{"http/1.1"}, false, "GET"},
		{"HTTP/2", []string{"h2", "http/1.1"}, true, "GET"},
		{"HTTP/2, POST", []string{"h2"}, true, "POST"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, done := serving(t, func(c net.Conn) net.Conn {
				if tt.alpn == nil {
					return c
				}
				s := tls.Server(c, &tls.Config{Certificates: server, NextProtos: tt.alpn})
				s.Handshake()
				return s
			})
			var protocols http.Protocols
			protocols.SetHTTP1(!tt.h2)
			protocols.SetHTTP2(tt.h2)
			protocols.SetUnencryptedHTTP2(tt.h2 && tt.alpn == nil)
			transport := &http.Transport{
				Protocols:       &protocols,
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
				DialContext:     func(context.Context, string, string) (net.Conn, error) { return near, nil },
			}
			defer transport.CloseIdleConnections()
			scheme := "http"
			if tt.alpn != nil {
				scheme = "https"
			}
			request, err := http.NewRequestWithContext(t.Context(), tt.method, scheme+"://www.evil.test/"+strings.Repeat("x", 4000), strings.NewReader(strings.Repeat("y", 100_000)))
			if err != nil {
				t.Fatal(err)
			}
			if tt.method != "POST" {
				request.Body, request.ContentLength = nil, 0
			}
			answer, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != 403 || (answer.ProtoMajor == 2) != tt.h2 || strings.Contains(string(body), ">evil<") == (tt.method == "HEAD") {
				t.Errorf("%s %s, %v: %s", answer.Proto, answer.Status, err, body)
			}
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": contentPolicy,
				"Content-Type": "text/html; charset=utf-8", "Set-Cookie": "", "Strict-Transport-Security": "",
			} {
				if got := answer.Header.Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
			if !tt.h2 && !answer.Close {
				t.Error("the connection stays")
			}
			<-done
		})
	}
}

// TestServeNoRequest has clients that send something else, or too much.
func TestServeNoRequest(t *testing.T) {
	for _, tt := range []struct{ name, sent, want string }{
		{"garbage", "\x00\x01\x02 neither this nor that\r\n\r\n", "HTTP/1.1 400 "},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 "},
		{"long head", "GET / HTTP/1.1\r\nHost: a\r\nA: " + strings.Repeat("x", 1<<17), "HTTP/1.1 431 "},
		{"several requests", strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3), "HTTP/1.1 403 "},
		{"OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 403 "},
		{"upgrade", "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 403 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, done := serving(t, plain)
			go io.WriteString(near, tt.sent)
			line, err := bufio.NewReader(near).ReadString('\n')
			if !strings.HasPrefix(line, tt.want) {
				t.Errorf("got %q, %v", line, err)
			}
			near.Close()
			<-done
		})
	}
	t.Run("nothing", func(t *testing.T) {
		near, done := serving(t, plain)
		near.Close()
		<-done
	})
}

// TestAsk sends the form as a browser does, as a page of another site would, and as
// somebody who wants to fill memory.
func TestAsk(t *testing.T) {
	for _, tt := range []struct {
		name, site, reason string
		full               bool
		status             int
		kept               string
	}{
		{"browser", "same-origin", "for  my\r\n\x1b[31mwork", false, 200, "for my [31mwork"},
		{"no browser", "", "for my work", false, 200, "for my work"},
		{"another site", "cross-site", "spam", false, 403, ""},
		{"long", "same-origin", strings.Repeat("ä", 600), false, 200, strings.Repeat("ä", 500)},
		{"endless", "same-origin", strings.Repeat("x", maxForm), false, 400, ""},
		{"full", "same-origin", "work", true, 503, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var kept string
			p, err := New(Options{Contact: "helpdesk@example.com", Exceptions: true}, func(_ *decrypt.Session, reason string) bool {
				if tt.full {
					return false
				}
				kept = reason
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			a := p.answer(session(), nil)
			for _, want := range []string{`action="/.well-known/clearspan/exception"`, `href="mailto:helpdesk@example.com"`, `<label for="why">`} {
				if !strings.Contains(string(a.html), want) {
					t.Errorf("no %s in %s", want, a.html)
				}
			}
			r := httptest.NewRequest("POST", askPath, strings.NewReader(url.Values{"reason": {tt.reason}}.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if w.Code != tt.status || kept != tt.kept || strings.Contains(w.Body.String(), `id="asked"`) != (tt.status == 200) {
				t.Errorf("status %d, kept %q\n%s", w.Code, kept, w.Body)
			}
		})
	}
	// Without the option there is no form, nor on a page about one request among others.
	for _, p := range []struct {
		on   bool
		conn net.Conn
	}{{false, nil}, {true, canned{}}} {
		page, err := New(Options{Exceptions: p.on}, func(*decrypt.Session, string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		if a := page.answer(session(), p.conn); strings.Contains(string(a.html), "<form") || a.ask != nil {
			t.Errorf("a form: %s", a.html)
		}
	}
}

type canned struct{ net.Conn }

func (canned) Canned() {}
