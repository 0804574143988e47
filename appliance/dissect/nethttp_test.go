package dissect_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// server is net/http, and what it saw.
type server struct {
	mu   sync.Mutex // guards list
	list []exchange
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent, _ := io.ReadAll(r.Body)
	x := exchange{Method: r.Method, Path: r.RequestURI, Host: hostOf(r.Host), Sent: hash(sent), Status: 200}
	answer := bytes.Repeat([]byte(r.URL.Path), 10_000)
	switch r.URL.Path {
	case "/hints":
		w.WriteHeader(http.StatusEarlyHints)
	case "/nothing":
		x.Status, answer = http.StatusNoContent, nil
	case "/same":
		x.Status, answer = http.StatusNotModified, nil
	case "/short":
		answer = []byte("short") // with a length
	}
	w.WriteHeader(x.Status)
	w.Write(answer)
	if r.Method == http.MethodHead {
		answer = nil
	}
	x.Received = hash(answer)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, x)
}

func hostOf(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return s
}

// TestAgainstNetHTTP: the events and contents of recorded sessions are what the server of
// net/http saw, in HTTP/1 with pipelining and in HTTP/2.
func TestAgainstNetHTTP(t *testing.T) {
	var saw server
	web := httptest.NewUnstartedServer(&saw)
	web.Config.Protocols = new(http.Protocols)
	web.Config.Protocols.SetHTTP1(true)
	web.Config.Protocols.SetUnencryptedHTTP2(true)
	web.Start()
	defer web.Close()
	r := newRelay(t, web.Listener.Addr().String())
	base := "http://" + r.Addr().String()

	upload := bytes.Repeat([]byte("upload "), 30_000)
	for _, version := range []string{"1", "2"} {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(version == "1")
		transport.Protocols.SetUnencryptedHTTP2(version == "2")
		client := &http.Client{Transport: transport}
		for _, path := range []string{"/long", "/short", "/hints", "/nothing", "/same"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "POST"} {
				var body io.Reader
				switch method {
				case "PUT":
					body = bytes.NewReader(upload)
				case "POST":
					body = io.MultiReader(bytes.NewReader(upload)) // of unknown length
				}
				request, err := http.NewRequest(method, base+path+"?"+version, body)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		}
		transport.CloseIdleConnections()
	}
	for _, text := range []string{
		"GET /pipelined?1 HTTP/1.1\r\nHost: a.test\r\n\r\nPUT /pipelined?2 HTTP/1.1\r\nHost: a.test:80\r\nContent-Length: 3\r\n\r\nabc" +
			"HEAD /pipelined?3 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /nothing?3 HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n",
		"GET /old HTTP/1.0\r\nHost: a.test\r\n\r\n",
	} {
		c, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(c, strings.NewReader(text))
		io.Copy(io.Discard, c)
		c.Close()
	}

	web.Close() // waits for the handlers, and closes what is idle
	got := r.dissected(0)
	saw.mu.Lock()
	defer saw.mu.Unlock()
	byPath(saw.list)
	if diff := cmp.Diff(saw.list, got); diff != "" || len(got) != 45 {
		t.Errorf("%d exchanges (-net/http +got):\n%s", len(got), diff)
	}
	if diff := cmp.Diff(got, r.dissected(997)); diff != "" {
		t.Errorf("in pieces (-whole +got):\n%s", diff)
	}
}
