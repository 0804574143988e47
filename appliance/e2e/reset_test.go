package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestResets tears sessions down from either end: the other end is reset, and
// the recording shows who did it, behind the octets that were said before.
func TestResets(t *testing.T) {
	c := newScene(t, settings{})
	web := c.Nginx()
	page := c.Page(web, "page", 64<<20)
	var parts []part
	for _, d := range []struct {
		name            string
		outcome, reason string
		by              string // "client" or "origin"
		secure          bool
	}{
		{"client, plain", "plain", "client-reset", "client", false},
		{"origin, plain", "plain", "origin-reset", "origin", false},
		{"client, TLS", "bumped", "client-reset", "client", true},
		{"origin, TLS", "bumped", "origin-reset", "origin", true},
	} {
		parts = append(parts, part{d.name,
			func(c *scene, port int) net.Conn { return c.torn(port, d.by, d.secure) },
			func(c *scene, s sight) {
				s.reset(c, d.outcome, d.by)
				if s.conversation != nil {
					scenetest.Same(c, "from client to origin", s.conversation.Streams[0], []byte("ask"))
					scenetest.Same(c, "from origin to client", s.conversation.Streams[1], []byte("answer"))
				}
			},
		})
	}
	parts = append(parts,
		part{"client, in the middle of a download", func(c *scene, port int) net.Conn {
			done := make(chan error, 1)
			c.ListenTLS(port, func(conn *tls.Conn, _ net.Conn) { done <- flood(conn) })
			conn := c.Dial(port)
			if _, err := io.CopyN(io.Discard, c.Secured(conn), 1<<20); err != nil {
				c.Error(err)
			}
			tear(conn)
			if err := <-done; !torn(err) {
				c.Errorf("the origin must be reset, got %v", err)
			}
			return conn
		}, func(c *scene, s sight) {
			s.reset(c, "bumped", "client")
			if n := s.Octets["origin_to_client"]; n < 1<<20 {
				c.Errorf("%d octets relayed", n)
			}
		}},
		part{"origin, in the middle of an upload", func(c *scene, port int) net.Conn {
			c.ListenTLS(port, func(conn *tls.Conn, under net.Conn) {
				io.CopyN(io.Discard, conn, 1<<20)
				tear(under)
			})
			conn := c.Dial(port)
			if err := flood(c.Secured(conn)); !torn(err) {
				c.Errorf("the client must be reset, got %v", err)
			}
			conn.Close()
			return conn
		}, func(c *scene, s sight) { s.reset(c, "bumped", "origin") }},
		part{"web server is killed in the middle of a download", func(c *scene, _ int) net.Conn {
			conn := c.Dial(lab.TLSPort)
			secure := c.Secured(conn)
			if _, err := io.WriteString(secure, "GET /page HTTP/1.1\r\nHost: "+webName+"\r\n\r\n"); err != nil {
				c.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(secure), nil)
			if err != nil {
				c.Fatal(err)
			}
			head := make([]byte, 1<<20)
			if _, err := io.ReadFull(response.Body, head); err != nil {
				c.Fatal(err)
			}
			if err := syscall.Kill(-web.Pid(), syscall.SIGKILL); err != nil { // with its workers
				c.Fatal(err)
			}
			rest, err := io.ReadAll(response.Body)
			if !errors.Is(err, io.ErrUnexpectedEOF) && !torn(err) {
				c.Errorf("the client must see that the end is missing, got %v", err)
			}
			if body := append(head, rest...); !bytes.HasPrefix(page, body) {
				c.Errorf("%d octets are not a part of the page", len(body))
			}
			conn.Close()
			return conn
		}, func(c *scene, s sight) {
			if s.Outcome != "bumped" || s.conversation == nil || !s.conversation.Ended || s.Octets["origin_to_client"] < 1<<20 {
				c.Errorf("entry %+v", s.entry)
			}
		}},
	)
	c.play(parts)
}

// reset judges a session that one end has torn down.
func (s sight) reset(c *scene, outcome, by string) {
	c.Helper()
	if s.Outcome != outcome || s.Reason != by+"-reset" {
		c.Errorf("want outcome %s, reset by the %s; entry %+v", outcome, by, s.entry)
	}
	if s.conversation == nil || !s.conversation.Reset || s.resetBy != by {
		c.Errorf("want a RST by the %s in the recording, there is one by %q", by, s.resetBy)
	}
}

// torn exchanges some words, then one end tears the connection down, of which the
// other must learn.
func (c *scene) torn(port int, by string, secure bool) net.Conn {
	c.Helper()
	answered := make(chan struct{})
	result := make(chan error, 1)
	origin := func(conn io.ReadWriter, under net.Conn) {
		io.ReadFull(conn, make([]byte, len("ask")))
		io.WriteString(conn, "answer")
		<-answered
		if by == "origin" {
			tear(under)
			return
		}
		_, err := conn.Read(make([]byte, 1))
		result <- err
	}
	if secure {
		c.ListenTLS(port, func(conn *tls.Conn, under net.Conn) { origin(conn, under) })
	} else {
		c.Listen(port, func(conn net.Conn) { origin(conn, conn) })
	}
	conn := c.Dial(port)
	var client io.ReadWriter = conn
	if secure {
		client = c.Secured(conn)
	}
	io.WriteString(client, "ask")
	_, err := io.ReadFull(client, make([]byte, len("answer")))
	close(answered)
	if err != nil {
		c.Fatal(err)
	}
	if by == "client" {
		tear(conn)
		err = <-result
	} else {
		_, err = client.Read(make([]byte, 1))
	}
	if !torn(err) {
		c.Errorf("the other end must be reset, got %v", err)
	}
	conn.Close()
	return conn
}

// tear closes a TCP connection with a RST.
func tear(conn net.Conn) {
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// torn tells the error of a connection that was reset by its peer.
func torn(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// flood writes until that fails.
func flood(w io.Writer) error {
	octets := make([]byte, 64<<10)
	for {
		if _, err := w.Write(octets); err != nil {
			return err
		}
	}
}
