package decrypt

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// web serves connections by net/http, HTTP/2 included, and notes the hosts that it is asked
// for.
type web struct {
	mu     sync.Mutex
	hosts  []string
	server http.Server
	conns  chan net.Conn
}

func newWeb(t *testing.T) *web {
	w := &web{conns: make(chan net.Conn)}
	w.server.Handler = w
	w.server.Protocols = new(http.Protocols)
	w.server.Protocols.SetHTTP1(true)
	w.server.Protocols.SetHTTP2(true)
	w.server.Protocols.SetUnencryptedHTTP2(true)
	go w.server.Serve(w)
	t.Cleanup(func() { w.server.Close() })
	return w
}

func (w *web) Accept() (net.Conn, error) {
	c, ok := <-w.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

var closeOnce sync.Map

func (w *web) Close() error {
	if _, done := closeOnce.LoadOrStore(w, true); !done {
		close(w.conns)
	}
	return nil
}

func (w *web) Addr() net.Addr { return &net.TCPAddr{} }

// held tells when a connection is closed.
type held struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

func (h *held) Close() error {
	h.once.Do(func() { close(h.closed) })
	return h.Conn.Close()
}

func (w *web) serve(c net.Conn) {
	h := &held{Conn: c, closed: make(chan struct{})}
	w.conns <- h
	<-h.closed
}

func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.hosts = append(w.hosts, r.Host)
	w.mu.Unlock()
	n, _ := io.Copy(io.Discard, r.Body)
	if r.URL.Path == "/slow" {
		time.Sleep(300 * time.Millisecond)
	}
	fmt.Fprintf(rw, "%s %s %d %s", r.Host, r.URL.Path, n, strings.Repeat("x", 100))
}

// asked reports whether a host was asked for.
func (w *web) asked(host string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hosts {
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

// page is the Page of a refusal.
func page(s *Session, conn net.Conn) {
	if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
		fmt.Fprintf(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(s.Decision.Rule), s.Decision.Rule)
		r.Body.Close()
	}
}

// requestRules are the rules of the tests: evil.test is terminated, bank.test tunneled,
// scanned.test goes through a service, and nobody writes below /upload.
func requestRules(t *testing.T) *policy.Table {
	return rules(t, policy.Bump,
		policy.Rule{Name: "evil", Host: []string{"evil.test"}, Action: policy.Terminate},
		policy.Rule{Name: "uploads", Path: []string{"/upload/*"}, Method: []string{"POST"}, Action: policy.Terminate},
		policy.Rule{Name: "bank", Host: []string{"bank.test"}, Action: policy.Tunnel},
		policy.Rule{Name: "scanned", Host: []string{"scanned.test"}, Action: policy.Bump, Treatment: policy.Treatment{Services: []string{"av"}}},
	)
}

// TestRequestsHTTP1 has requests refused behind one that passes, decrypted and plain, by way
// of a service and without, whole and in pieces.
func TestRequestsHTTP1(t *testing.T) {
	const get = "GET /slow HTTP/1.1\r\nHost: www.example.test\r\n\r\n"
	for _, tt := range []struct {
		name, request  string
		tls, plain     int // statuses
		host, rule     string
		method         string
		reached, close bool
	}{
		{name: "terminated", request: "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", tls: 421, plain: 403, host: "evil.test", rule: "evil"},
		{name: "tunneled", request: "GET / HTTP/1.1\r\nHost: bank.test\r\n\r\n", tls: 421, plain: 421, host: "bank.test", rule: "bank"},
		{name: "another service", request: "GET / HTTP/1.1\r\nHost: scanned.test\r\n\r\n", tls: 421, plain: 421, host: "scanned.test", rule: "scanned"},
		{name: "path", request: "POST /x/../Upload/%78 HTTP/1.1\r\nHost: www.example.test\r\nContent-Length: 3\r\n\r\nabc", tls: 403, plain: 403, rule: "uploads"},
		{name: "other path", request: "POST /x HTTP/1.1\r\nHost: www.example.test\r\nContent-Length: 3\r\n\r\nabc", tls: 200, plain: 200},
		{name: "other host", request: "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n", tls: 200, plain: 200, host: "other.test"},
		{name: "unreadable", request: "GET /\r\n\r\n", tls: 403, plain: 403, rule: "default"},
	} {
		for _, way := range []string{"tls", "tls, service", "plain", "plain, service", "plain, late"} {
			for _, size := range []int{1, 1 << 20} {
				t.Run(fmt.Sprintf("%s, %s, %d", tt.name, way, size), func(t *testing.T) {
					t.Parallel()
					w := newWeb(t)
					secure := strings.HasPrefix(way, "tls")
					serve := func(b *testbed, c net.Conn) { w.serve(c) }
					if secure {
						serve = func(b *testbed, c net.Conn) {
							b.tlsOrigin(func(c *tls.Conn) { w.serve(c) }, func(cfg *tls.Config) { cfg.NextProtos = []string{"http/1.1"} })(c)
						}
					}
					b := newTestbed(t, serve, func(b *testbed) {
						b.cfg.Policy, b.cfg.Refusal.Page = requestRules(t), page
						b.cfg.Client.IdleTimeout, b.cfg.Client.HandshakeTimeout = 30*time.Second, 30*time.Second
						if strings.HasSuffix(way, "service") {
							b.cfg.Services = func(*Session) []Service { return []Service{through(func([]byte) {})} }
						}
					})
					var c net.Conn = b.dial()
					if secure {
						c = b.client(nil)
					}
					c.SetDeadline(time.Now().Add(60 * time.Second))
					if way == "plain, late" {
						time.Sleep(150 * time.Millisecond) // longer than the engine waits for a client
					}
					for text := get + tt.request; len(text) > 0; {
						n := min(size, len(text))
						if _, err := io.WriteString(c, text[:n]); err != nil {
							t.Fatal(err)
						}
						text = text[n:]
					}
					r := bufio.NewReader(c)
					answer(t, r, 200)
					want := tt.plain
					if secure {
						want = tt.tls
					}
					answer(t, r, want)
					if want != 200 {
						if _, err := r.ReadByte(); err != io.EOF {
							t.Errorf("the session does not end: %v", err)
						}
					}
					c.Close()
					s := b.session()
					if tt.host != "" && w.asked(tt.host) != (want == 200) {
						t.Errorf("asked for %v", w.hosts)
					}
					refused, n := s.Refused()
					if want == 200 {
						if n > 0 {
							t.Errorf("refused %v", refused)
						}
						return
					}
					if n != 1 || refused[0].Rule != tt.rule || refused[0].Status != want || s.Outcome != Terminated || s.Notice != NoticePage {
						t.Errorf("refused %+v, %s %s, told by %s", refused, s.Outcome, s.Reason, s.Notice)
					}
				})
			}
		}
	}
}

// answer reads an answer with that status.
func answer(t *testing.T, r *bufio.Reader, status int) {
	t.Helper()
	a, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, a.Body)
	if a.StatusCode != status || (status != 200) != a.Close {
		t.Errorf("status %d, close %t, want %d", a.StatusCode, a.Close, status)
	}
}

// TestRequestsHTTP2 has streams of one session refused beside others that run, by the client
// and the server of net/http, which hold their header tables against each other.
func TestRequestsHTTP2(t *testing.T) {
	for _, way := range []string{"tls", "tls, service", "plain"} {
		t.Run(way, func(t *testing.T) {
			w := newWeb(t)
			secure := strings.HasPrefix(way, "tls")
			serve := func(b *testbed, c net.Conn) { w.serve(c) }
			if secure {
				serve = func(b *testbed, c net.Conn) {
					b.tlsOrigin(func(c *tls.Conn) { w.serve(c) }, func(cfg *tls.Config) { cfg.NextProtos = []string{"h2"} })(c)
				}
			}
			b := newTestbed(t, serve, func(b *testbed) {
				b.cfg.Policy, b.cfg.Refusal.Page = requestRules(t), page
				b.cfg.Client.IdleTimeout, b.cfg.Client.HandshakeTimeout = 30*time.Second, 30*time.Second
				if strings.HasSuffix(way, "service") {
					b.cfg.Services = func(*Session) []Service { return []Service{through(func([]byte) {})} }
				}
			})
			var c net.Conn = b.dial()
			if secure {
				c = b.client(func(cfg *tls.Config) { cfg.NextProtos = []string{"h2"} })
			}
			c.SetDeadline(time.Now().Add(60 * time.Second))
			if tc, ok := c.(*tls.Conn); ok {
				if err := tc.Handshake(); err != nil {
					t.Fatal(err)
				}
			}
			transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
			transport.Protocols.SetUnencryptedHTTP2(true) // the connection is there already
			cc, err := transport.NewClientConn(t.Context(), "http", "www.example.test:80")
			if err != nil {
				t.Fatal(err)
			}
			ask := func(host, path, body string) (int, error) {
				ctx, stop := context.WithTimeout(t.Context(), 50*time.Second)
				defer stop()
				r, err := http.NewRequestWithContext(ctx, "POST", "http://"+host+path, io.NopCloser(strings.NewReader(body)))
				if err != nil {
					return 0, err
				}
				r.Header.Set("X-Own", host) // goes into the tables
				a, err := cc.RoundTrip(r)
				if err != nil {
					return 0, err
				}
				defer a.Body.Close()
				text, err := io.ReadAll(a.Body)
				if a.StatusCode == 200 && !strings.HasPrefix(string(text), fmt.Sprintf("%s %s %d ", host, path, len(body))) {
					return 0, fmt.Errorf("answer %.40q", text)
				}
				return a.StatusCode, err
			}
			large := strings.Repeat("y", 300_000)
			var wg sync.WaitGroup
			for i := range 60 {
				want := map[int]int{0: 200, 1: 421, 2: 200, 3: 403}[i%4]
				host, path, body := "www.example.test", fmt.Sprintf("/%d", i), large
				switch {
				case i%4 == 1 && secure:
					host = []string{"evil.test", "bank.test", "scanned.test"}[i/4%3]
				case i%4 == 1:
					host = []string{"bank.test", "scanned.test"}[i/4%2]
				case i%4 == 3:
					path = "/upload/x"
				}
				ask := func() {
					status, err := ask(host, path, body)
					// A client that gets RST_STREAM with its answer may say so.
					if status != want && !(want != 200 && errors.As(err, new(http2.StreamError))) {
						t.Errorf("%s%s: %d, %v, want %d", host, path, status, err, want)
					}
				}
				if i < 20 {
					ask()
				} else {
					wg.Go(ask)
				}
			}
			wg.Wait()
			cc.Close()
			c.Close()
			s := b.session()
			for _, host := range []string{"evil.test", "bank.test", "scanned.test"} {
				if w.asked(host) {
					t.Errorf("%s is reached", host)
				}
			}
			first, n := s.Refused()
			if n != 30 || len(first) != 30 || first[0].Status != 421 || s.Outcome == Terminated {
				t.Errorf("%d refused, %s: %+v", n, s.Outcome, first)
			}
		})
	}
}
