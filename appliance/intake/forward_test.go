package intake

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/websocket"

	"github.com/clearspan/clearspan/hack/tempo"
)

// request reads one request from an origin's connection as it came, head only.
func requestHead(c net.Conn) string {
	var head strings.Builder
	for r := bufio.NewReader(c); !strings.HasSuffix(head.String(), "\r\n\r\n"); {
		b, err := r.ReadByte()
		if err != nil {
			break
		}
		head.WriteByte(b)
	}
	return head.String()
}

// What is on the wire: the origin's view of a request and the client's view of
// the reply.
func TestForwardOctets(t *testing.T) {
	for _, c := range []struct {
		name, request, atOrigin, reply, atClient string
	}{
		{
			"nothing added",
			"GET http://origin.test:PORT/a%7Eb|c?x=%zz;y HTTP/1.1\r\nHost: other.test\r\n\r\n",
			"GET /a%7Eb|c?x=%zz;y HTTP/1.1\r\nHost: origin.test:PORT\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		},
		{
			"fields of the hop",
			"GET http://origin.test:PORT/ HTTP/1.1\r\nHost: x\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nProxy-Anything: x\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 3\r\nX-Forwarded-For: 192.0.2.1\r\nUser-Agent: test\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: origin.test:PORT\r\nUser-Agent: test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
			"HTTP/1.1 204 No Content\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n",
			"HTTP/1.1 204 No Content\r\nX-End: 2\r\n\r\n",
		},
		{
			"empty path, user information",
			"GET http://me:pw@origin.test:PORT HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: origin.test:PORT\r\n\r\n",
			"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		},
		{
			"compression is left alone",
			"GET http://origin.test:PORT//x HTTP/1.1\r\nHost: x\r\nAccept-Encoding: br\r\n\r\n",
			"GET //x HTTP/1.1\r\nHost: origin.test:PORT\r\nAccept-Encoding: br\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
			"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
		},
		{
			"early hints",
			"GET http://origin.test:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: origin.test:PORT\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
			"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			heads := make(chan string, 1)
			to := origin(t, func(conn net.Conn) {
				heads <- requestHead(conn)
				io.WriteString(conn, c.reply)
				io.Copy(io.Discard, conn)
			})
			proxy, r, _ := proxyFor(t, to)
			port := func(s string) string { return strings.ReplaceAll(s, "PORT", fmt.Sprint(to.Port())) }
			conn, read := dialTest(t, proxy)
			io.WriteString(conn, port(c.request))
			expect(t, read, c.atClient)
			if diff := cmp.Diff(port(c.atOrigin), <-heads); diff != "" {
				t.Errorf("at the origin (-want +got):\n%s", diff)
			}
			in := r.seen()[0]
			if in.Client != addrPort(conn.LocalAddr()) || in.Name != "origin.test" || in.Origin != to {
				t.Errorf("incoming %+v", in)
			}
		})
	}
}

func TestForwardRefused(t *testing.T) {
	closed := netip.MustParseAddrPort("127.0.0.77:1")
	proxy, r, _ := proxyFor(t, closed)
	for _, c := range []struct {
		name, request, want string
	}{
		{"origin form", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request"},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request"},
		{"https", "GET https://origin.test/ HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request"},
		{"malformed destination", "GET http://origin.test:0/ HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request"},
		{"TRACE", "TRACE http://origin.test/ HTTP/1.1\r\nHost: x\r\n\r\n", "405 Method Not Allowed"},
		{"head too large", "GET http://origin.test/ HTTP/1.1\r\nA: " + strings.Repeat("x", 1<<17) + "\r\n\r\n", "431 Request Header Fields Too Large"},
		{"unknown name", "GET http://none.test/ HTTP/1.1\r\nHost: x\r\n\r\n", "502 Bad Gateway"},
		{"forbidden", "GET http://origin.test:9/ HTTP/1.1\r\nHost: x\r\n\r\n", "403 Forbidden"},
		{"origin down", "GET http://origin.test:1/ HTTP/1.1\r\nHost: x\r\n\r\n", "502 Bad Gateway"},
		{"smuggled length", "POST http://origin.test:1/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 Bad Request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, read := dialTest(t, proxy)
			go io.WriteString(conn, c.request)
			reply, err := http.ReadResponse(read, nil)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(reply.Body)
			if reply.Status != c.want || strings.Count(string(text), "\n") > 1 || len(text) == 0 {
				t.Errorf("got %s %q, want %s", reply.Status, text, c.want)
			}
		})
	}
	if r.count(Unresolved) != 1 || r.count(Forbidden) != 1 || r.count(BadRequest) != 5 {
		t.Errorf("counted %v", r.events)
	}
}

// clientFor is a client that goes through the proxy.
func clientFor(t *testing.T, proxy string) *http.Client {
	t.Helper()
	tr := &http.Transport{
		Proxy:                 http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}),
		ExpectContinueTimeout: 2 * time.Second,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 5 * time.Second}
}

// webOrigin serves until the test ends.
func webOrigin(t *testing.T, h http.Handler) netip.AddrPort {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(strings.TrimPrefix(s.URL, "http://"))
}

func TestForward(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %s", n, r.Trailer.Get("Sum"))
	})
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Sum")
		io.WriteString(w, "body")
		w.Header().Set("Sum", "42")
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no", http.StatusExpectationFailed)
	})
	more := make(chan struct{})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		<-more
		io.WriteString(w, "two")
	})
	mux.Handle("/socket", websocket.Handler(func(ws *websocket.Conn) { io.Copy(ws, ws) }))
	to := webOrigin(t, mux)
	proxy, r, _ := proxyFor(t, to)
	client := clientFor(t, proxy)
	at := func(path string) string { return fmt.Sprintf("http://origin.test:%d%s", to.Port(), path) }

	t.Run("upload with trailer", func(t *testing.T) {
		req, _ := http.NewRequest("POST", at("/upload"), io.LimitReader(zeros{}, 1<<20))
		req.Trailer = http.Header{"Sum": {"7"}}
		expectBody(t, client, req, "1048576 7")
	})
	t.Run("expect continue", func(t *testing.T) {
		req, _ := http.NewRequest("POST", at("/upload"), strings.NewReader("12345"))
		req.Header.Set("Expect", "100-continue")
		begin := time.Now()
		expectBody(t, client, req, "5 ")
		if d := time.Since(begin); d > 500*time.Millisecond {
			t.Errorf("waited %v to continue", d)
		}
	})
	t.Run("expect refused", func(t *testing.T) {
		conn, read := dialTest(t, proxy)
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", at("/refuse"))
		expect(t, read, "HTTP/1.1 417 Expectation Failed\r\n")
	})
	t.Run("trailer", func(t *testing.T) {
		reply, err := client.Get(at("/trailer"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(reply.Body)
		reply.Body.Close()
		if string(body) != "body" || reply.Trailer.Get("Sum") != "42" {
			t.Errorf("body %q, trailer %v", body, reply.Trailer)
		}
	})
	t.Run("stream", func(t *testing.T) {
		reply, err := client.Get(at("/stream"))
		if err != nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		expect(t, reply.Body, "one")
		close(more)
		expect(t, reply.Body, "two")
	})
	t.Run("one session for several requests", func(t *testing.T) {
		before := len(r.seen())
		conn, read := dialTest(t, proxy)
		for range 3 {
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", at("/upload"))
			reply, err := http.ReadResponse(read, nil)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, reply.Body, "0 ")
			io.Copy(io.Discard, reply.Body)
		}
		if n := len(r.seen()) - before; n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\n\r\nGET /upload HTTP/1.0\r\n\r\n", to)
		expect(t, read, established+"HTTP/1.0 200 OK\r\n")
	})
	t.Run("WebSocket", func(t *testing.T) {
		conn, _ := dialTest(t, proxy)
		config, err := websocket.NewConfig(strings.Replace(at("/socket"), "http", "ws", 1), "http://origin.test")
		if err != nil {
			t.Fatal(err)
		}
		ws, err := websocket.NewClient(config, absolute{conn, at("/socket")})
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(ws, "over the socket")
		expect(t, ws, "over the socket")
	})
}

// absolute turns the first line of a request into absolute form.
type absolute struct {
	*net.TCPConn
	url string
}

func (a absolute) Write(p []byte) (int, error) {
	if rest, ok := strings.CutPrefix(string(p), "GET /socket "); ok {
		_, err := io.WriteString(a.TCPConn, "GET "+a.url+" "+rest)
		return len(p), err
	}
	return a.TCPConn.Write(p)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func expectBody(t *testing.T, client *http.Client, req *http.Request, want string) {
	t.Helper()
	reply, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if body, err := io.ReadAll(reply.Body); string(body) != want {
		t.Errorf("body %q (%v), want %q", body, err, want)
	}
}

// Every session inside counts for the limit, and ends with its client.
func TestForwardLimit(t *testing.T) {
	to := webOrigin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	o := new(recorder).options("proxy")
	o.Limiter = NewLimiter(Limits{2}, nil)
	i, err := NewExplicit(Explicit{Listen: "127.0.0.1:0"}, o)
	proxy := serve(t, i, err)
	get := func() (*net.TCPConn, int) {
		conn, read := dialTest(t, proxy)
		fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", to)
		reply, err := http.ReadResponse(read, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, reply.Body)
		return conn, reply.StatusCode
	}
	conn, status := get()
	if status != http.StatusOK || o.Limiter.Open() != 2 {
		t.Fatalf("status %d, %d open", status, o.Limiter.Open())
	}
	conn.Close()
	tempo.Until(t, "both ended", func() bool { return o.Limiter.Open() == 0 })

	o.Limiter.SetLimits(Limits{1})
	if _, status := get(); status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", status)
	}
}

// A client connection that is idle does not hold up the end of an intake.
func TestForwardDrain(t *testing.T) {
	to := webOrigin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	proxy, _, i := proxyFor(t, to)
	conn, read := dialTest(t, proxy)
	fmt.Fprintf(conn, "GET http://%s/ HTTP/1.1\r\nHost: x\r\n\r\n", to)
	reply, err := http.ReadResponse(read, nil)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, reply.Body, "ok")
	i.Close()
	i.Wait()
	if _, err := read.ReadByte(); err != io.EOF {
		t.Errorf("read: %v", err)
	}
}
