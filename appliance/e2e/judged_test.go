package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestRequestsJudged has rules on hosts, paths, methods and addresses of pages judge every
// request within a session: nginx gets none of those that are refused, and its other
// answers arrive whole.
func TestRequestsJudged(t *testing.T) {
	const evil = "evil.example.test"
	c := newScene(t, settings{
		Blind: true, // readers of captures object to refused requests without their answers
		Policy: `
  default: bump
  lists: {phishing: {file: urls.txt, kind: url}}
  rules:
    - {name: evil, host: [` + evil + `], action: terminate}
    - {name: phish, category: [phishing], action: terminate}
    - {name: uploads, path: ["/upload/*"], method: [POST], action: terminate}`,
		Prepare: prepared(func(c *scene) {
			c.Write(filepath.Join(c.Dir, "urls.txt"), []byte("https://"+webName+"/phish/\nhttp://"+webName+"/phish/\n"))
		}),
	})
	web := c.Nginx()
	page := c.Page(web, "page.bin", 40_000)
	open := func(secure bool) net.Conn {
		if !secure {
			return c.Dial(80)
		}
		return tls.Client(c.Dial(lab.TLSPort), &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName})
	}

	// The second request of a connection, cut in two at any octet.
	cut := func(secure bool, at int, request string) (status string) {
		conn := open(secure)
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		r := bufio.NewReader(conn)
		fmt.Fprintf(conn, "GET /page.bin HTTP/1.1\r\nHost: %s\r\n\r\n", webName)
		first, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Errorf("first answer: %v", err)
			return ""
		}
		if n, _ := io.Copy(io.Discard, first.Body); n != int64(len(page)) {
			t.Errorf("first answer has %d octets", n)
		}
		io.WriteString(conn, request[:at])
		io.WriteString(conn, request[at:])
		second, err := http.ReadResponse(r, nil)
		if err != nil {
			return err.Error()
		}
		return second.Status[:3]
	}
	var acting sync.WaitGroup
	for _, secure := range []bool{false, true} {
		for _, row := range []struct{ request, tls, plain string }{
			{"GET /refused-1 HTTP/1.1\r\nHost: " + evil + "\r\n\r\n", "421", "403"},
			{"\r\nA-B /refused-2 HTTP/1.1\r\nhost:" + strings.ToUpper(evil) + "\r\n\r\n", "421", "403"},
			{"POST /upload/refused-3 HTTP/1.1\r\nHost: " + webName + "\r\nContent-Length: 2\r\n\r\nhi", "403", "403"},
			{"GET /phish/refused-4?x HTTP/1.1\r\nHost: " + webName + "\r\n\r\n", "403", "403"},
			{"GET /upload/passes HTTP/1.1\r\nHost: " + webName + "\r\n\r\n", "404", "404"},
		} {
			want := row.plain
			if secure {
				want = row.tls
			}
			acting.Go(func() {
				for at := 0; at < len(row.request); at += 3 {
					if got := cut(secure, at, row.request); got != want {
						t.Errorf("TLS %t, cut at %d of %q: %s, want %s", secure, at, row.request, got, want)
					}
				}
			})
		}
	}
	acting.Wait()

	// Streams of one HTTP/2 connection, whose header blocks refer to each other.
	p := new(http.Protocols)
	p.SetHTTP2(true)
	tr := &http.Transport{Protocols: p, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		conn := tls.Client(c.Dial(lab.TLSPort), &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName, NextProtos: []string{"h2"}})
		return conn, conn.HandshakeContext(c.Ctx)
	}}
	defer tr.CloseIdleConnections()
	for i := range 60 {
		acting.Go(func() {
			r, err := http.NewRequestWithContext(c.Ctx, http.MethodGet, "https://"+webName+"/page.bin", nil)
			if err != nil {
				t.Error(err)
				return
			}
			want := 200
			if i%3 == 0 {
				r.Host, r.URL.Path, want = evil, "/refused-5", 421
			}
			r.Header.Set("Cookie", fmt.Sprint(strings.Repeat("c", 100+i%7), i%5))
			a, err := tr.RoundTrip(r)
			if err != nil {
				t.Errorf("stream %d: %v", i, err)
				return
			}
			defer a.Body.Close()
			body, err := io.ReadAll(a.Body)
			if a.StatusCode != want || err != nil || want == 200 && string(body) != string(page) {
				t.Errorf("stream %d: status %d, want %d, %d octets, %v", i, a.StatusCode, want, len(body), err)
			}
		})
	}
	acting.Wait()
	r, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(webName, lab.OriginV4), "--http2", "-H", "Host: "+evil, "-w", "%{http_version} %{response_code}", "-o", "/dev/null", "https://"+webName+"/refused-6")...)
	if err != nil || r.Stdout != "2 421" {
		t.Errorf("curl: %s, %v", r.Stdout, err)
	}
	c.Stop()
	log := string(c.ReadFile(filepath.Join(web.Dir, "access.log")))
	if i := strings.Index(log, "refused-"); i >= 0 || !strings.Contains(log, "/upload/passes") {
		t.Errorf("nginx got %.200q", log[max(i, 0):])
	}
}
