package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// unhurried has an origin on a port of its own whose answers go on only when the client has
// got what came before, and a client whose request goes on only when the origin
// has: events that a server sends, an answer to a poll, an upload. Nobody may wait
// for a whole content.
func (c *scene) unhurried(http2 bool) {
	c.Helper()
	const turns = 5
	number := 7444
	if http2 {
		number = 7445
	}
	port := strconv.Itoa(number)
	got := make(chan struct{})
	await := func() error {
		select {
		case <-got:
			return nil
		case <-time.After(20 * time.Second):
			return fmt.Errorf("the other end got nothing")
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range turns {
			fmt.Fprintf(w, "data: event %d\n\n", i)
			w.(http.Flusher).Flush()
			if err := await(); err != nil {
				c.Errorf("event %d: %v", i, err)
				return
			}
		}
	})
	mux.HandleFunc("/poll", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "12")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		for _, half := range []string{"first,", "second"} {
			if err := await(); err != nil {
				c.Errorf("before %q: %v", half, err)
				return
			}
			io.WriteString(w, half)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		for part := make([]byte, 6); ; {
			if _, err := io.ReadFull(r.Body, part); err != nil {
				return
			}
			got <- struct{}{}
		}
	})
	l, err := c.Origin.Listen("tcp", ":"+port)
	if err != nil {
		c.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	defer server.Close()
	go server.ServeTLS(l, c.Cert.CertFile, c.Cert.KeyFile)

	transport := &http.Transport{
		ForceAttemptHTTP2: http2, TLSClientConfig: &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return c.Dial(number), nil },
	}
	defer transport.CloseIdleConnections()
	ask := func(path string, body io.Reader) *http.Response {
		request, err := http.NewRequestWithContext(c.Ctx, http.MethodPost, "https://"+webName+":"+port+path, body)
		if err != nil {
			c.Fatal(err)
		}
		answer, err := transport.RoundTrip(request)
		if err != nil || (answer.ProtoMajor == 2) != http2 {
			c.Fatalf("%s: %+v, %v", path, answer, err)
		}
		return answer
	}

	events := ask("/events", nil)
	lines := bufio.NewScanner(events.Body)
	for i := range turns {
		if !lines.Scan() || lines.Text() != fmt.Sprintf("data: event %d", i) || !lines.Scan() {
			c.Fatalf("event %d: read %q, %v", i, lines.Text(), lines.Err())
		}
		got <- struct{}{}
	}
	events.Body.Close()

	poll := ask("/poll", nil) // its header alone
	for _, half := range []string{"first,", "second"} {
		got <- struct{}{}
		part := make([]byte, len(half))
		if _, err := io.ReadFull(poll.Body, part); err != nil || string(part) != half {
			c.Fatalf("polled %q, %v", part, err)
		}
	}
	poll.Body.Close()

	r, w := io.Pipe()
	go func() {
		defer w.Close()
		for range turns {
			io.WriteString(w, "a part")
			if err := await(); err != nil {
				c.Errorf("upload: %v", err)
				return
			}
		}
	}()
	ask("/upload", r).Body.Close()
}
