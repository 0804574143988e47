package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestICAPEarlyAnswer has an origin refuse an upload whose client goes on sending
// long after the origin has closed: the answer is there when the client reads.
func TestICAPEarlyAnswer(t *testing.T) {
	c := newScene(t, settings{Prepare: prepared(func(c *scene) { c.icap() }), Policy: "{default: bump, services: [av]}",
		More: strings.Replace(scanned, "timeout:", "mode: [respmod], timeout:", 1)})
	if _, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{{Port: lab.TLSPort, Certificate: &c.Cert, MaxBody: "1k"}}); err != nil {
		t.Fatal(err)
	}
	conn, err := c.Secret(lab.TLSPort, &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const parts, part = 60, 64 << 10 // for three times as long as nginx listens
	fmt.Fprintf(conn, "PUT /upload/x HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", webName, parts*part)
	for i := range parts {
		if _, err := conn.Write(bytes.Repeat([]byte("x"), part)); err != nil {
			t.Fatalf("part %d of the upload: %v", i, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge || !bytes.Contains(content, []byte("413")) {
		t.Errorf("answer %s, %q, %v", answer.Status, content, err)
	}
	conn.Close()
	c.Stop()
	for _, e := range c.Entries() {
		if e.Reason != "" || e.Octets["client_to_origin"] < parts*part {
			t.Errorf("entry %+v", e)
		}
	}
}

// TestICAPEvents has an origin send events, each only when the one before has
// arrived: they pass a service that would wait for more of them.
func TestICAPEvents(t *testing.T) {
	const port, turns = 7444, 5
	c := newScene(t, settings{Prepare: prepared(func(c *scene) { c.icap() }), Policy: "{default: bump, services: [av]}", More: scanned})
	got := make(chan struct{})
	l, err := c.Origin.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "Text/Event-Stream; charset=utf-8")
		for i := range turns {
			fmt.Fprintf(w, "data: event %d\n\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-got:
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Second):
				t.Errorf("event %d did not arrive", i)
				return
			}
		}
	})}
	defer server.Close()
	go server.ServeTLS(l, c.Cert.CertFile, c.Cert.KeyFile)
	for _, h2 := range []bool{false, true} {
		transport := &http.Transport{
			ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName},
			DialContext: func(context.Context, string, string) (net.Conn, error) { return c.Dial(port), nil },
		}
		request, err := http.NewRequestWithContext(c.Ctx, http.MethodGet, fmt.Sprintf("https://%s:%d/", webName, port), nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", "text/html, text/event-stream;q=0.9")
		answer, err := transport.RoundTrip(request)
		if err != nil || (answer.ProtoMajor == 2) != h2 {
			t.Fatalf("%+v, %v", answer, err)
		}
		lines := bufio.NewScanner(answer.Body)
		for i := range turns {
			if !lines.Scan() || lines.Text() != fmt.Sprintf("data: event %d", i) || !lines.Scan() {
				t.Fatalf("event %d: read %q, %v", i, lines.Text(), lines.Err())
			}
			got <- struct{}{}
		}
		answer.Body.Close()
		transport.CloseIdleConnections()
	}
	c.Stop()
	for _, e := range c.Entries() {
		if e.Service["av"] != "bypassed" {
			t.Errorf("session %s: %v", e.Session, e.Service)
		}
	}
}
