package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/scenetest"
)

const (
	// silence is after what a client counts as silent, and its origin is dialed.
	silence = 100 * time.Millisecond
	pause   = 20 * silence
)

// TestDialogues has sessions of all orders of speaking and of ending, plain and
// with TLS.
func TestDialogues(t *testing.T) {
	c := newScene(t, settings{})
	var parts []part
	for _, d := range []struct {
		name, protocol string
		turns          []turn
	}{
		{"origin greets in an unknown protocol", "", []turn{
			{origin: true, say: "WELCOME 7\n"}, {say: "\x00\x01\x02ask\xff"}, {origin: true, say: "answer"}, {say: "bye"}}},
		{"client speaks first in an unknown protocol", "", []turn{
			{say: "\x05\x00ask"}, {origin: true, say: "answer"}, {say: "again"}, {origin: true, say: strings.Repeat("much ", 100_000)}}},
		{"SSH banners", "ssh", []turn{
			{origin: true, say: "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"}, {say: "SSH-2.0-test\r\n"},
			{origin: true, say: "\x00\x00\x01\x24\x07key exchange"}, {say: "\x00\x00\x01\x24\x07other"}}},
		{"MySQL greeting", "mysql", []turn{
			{origin: true, say: "\x27\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\x00\x02\x21\x02\x00\x00\x00\x00" + strings.Repeat("\x00", 10)},
			{say: "\x23\x00\x00\x01\x00\x02\x00\x00\x00\x00\x00\x01\x21" + strings.Repeat("\x00", 23) + "a\x00\x00"},
			{origin: true, say: "\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00"}}},
		{"silence, then the origin", "", []turn{
			{origin: true, after: pause, say: "at last\n"}, {say: "thanks"}}},
		{"silence, then the client", "", []turn{
			{after: pause, say: "\x01\x02\x03\x04at last\n"}, {origin: true, say: "thanks"}}},
		{"silence between turns", "", []turn{
			{origin: true, say: "# hello\n"}, {after: pause, say: "\x01well"}, {origin: true, after: pause, say: "well"}}},
		{"client ends first", "", []turn{
			{say: "\x01all I have", end: true}, {origin: true, say: "and "}, {origin: true, after: pause, say: "the answer"}}},
		{"origin ends first", "", []turn{
			{origin: true, say: "# all I have", end: true}, {say: "and "}, {after: pause, say: "the answer"}}},
		{"nobody says anything", "", []turn{{after: pause, end: true}}},
		{"origin ends without a word", "", []turn{{origin: true, after: pause, end: true}}},
	} {
		parts = append(parts, part{d.name, plain(d.turns), func(c *scene, s sight) {
			if said(false, d.turns)+said(true, d.turns) == "" {
				if s.Outcome != "plain" || s.Reason != "" || s.resetBy != "" {
					c.Errorf("reset by %q, entry %+v", s.resetBy, s.entry)
				}
				return
			}
			s.ended(c, "plain", d.protocol, said(false, d.turns), said(true, d.turns))
		}})
	}
	for _, d := range []struct {
		name    string
		silence time.Duration
		turns   []turn
	}{
		{"TLS, client speaks first", 0, []turn{{say: "ask"}, {origin: true, say: "answer"}}},
		{"TLS, origin speaks first", 0, []turn{{origin: true, say: "220 mail\r\n"}, {say: "QUIT\r\n"}, {origin: true, say: "221 bye\r\n"}}},
		{"TLS, silence, then the origin", 0, []turn{{origin: true, after: pause, say: "at last"}, {say: "thanks"}}},
		{"TLS, silence, then the client", 0, []turn{{after: pause, say: "at last"}, {origin: true, say: "thanks"}}},
		{"TLS begun after a silence", pause, []turn{{say: "ask"}, {origin: true, say: "answer"}}},
		{"TLS, client ends first", 0, []turn{{say: "all I have", end: true}, {origin: true, after: pause, say: strings.Repeat("much ", 100_000)}}},
		{"TLS, origin ends first", 0, []turn{{origin: true, say: "all I have", end: true}, {after: pause, say: strings.Repeat("much ", 100_000)}}},
	} {
		parts = append(parts, part{d.name, secret(d.silence, d.turns), func(c *scene, s sight) {
			s.ended(c, "bumped", "tls", said(false, d.turns), said(true, d.turns))
		}})
	}

	var reached, late atomic.Int32
	parts = append(parts, part{"client connects and closes at once",
		func(c *scene, port int) net.Conn {
			c.Listen(port, func(net.Conn) { reached.Add(1) })
			for range 20 {
				begin := time.Now()
				conn := c.Dial(port)
				conn.Close()
				if time.Since(begin) < silence {
					return conn
				}
				late.Add(1) // the test was: the origin may have been asked to speak
			}
			c.Fatal("no connection was closed at once")
			return nil
		},
		func(c *scene, s sight) {
			s.failed(c, "client-closed")
			if n := reached.Load(); n > late.Load() {
				c.Errorf("the origin saw %d connections, %d were late", n, late.Load())
			}
		},
	})
	last := strings.Repeat("the last octets ", 1<<16)
	parts = append(parts, part{"origin closes behind its last octets",
		func(c *scene, port int) net.Conn {
			c.Listen(port, func(conn net.Conn) { io.WriteString(conn, last) })
			conn := c.Dial(port)
			time.Sleep(pause / 2) // everything has come when it is read
			got, err := io.ReadAll(conn)
			if err != nil {
				c.Error(err)
			}
			scenetest.Same(c, "client got", got, []byte(last))
			conn.Close()
			return conn
		},
		func(c *scene, s sight) { s.ended(c, "plain", "", "", last) },
	})
	for _, d := range []struct {
		name   string
		notify bool
	}{
		{"TLS, origin closes behind its last octets", true},
		{"TLS, origin closes without close_notify", false},
	} {
		parts = append(parts, part{d.name,
			func(c *scene, port int) net.Conn {
				c.ListenTLS(port, func(conn *tls.Conn, _ net.Conn) {
					io.WriteString(conn, last)
					if d.notify {
						conn.Close()
					}
				})
				conn := c.Dial(port)
				wire := &recordLog{Conn: conn}
				secure := tls.Client(wire, &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName, MaxVersion: tls.VersionTLS12})
				if err := secure.HandshakeContext(c.Ctx); err != nil {
					c.Fatal(err)
				}
				time.Sleep(pause / 2)
				got, err := io.ReadAll(secure)
				if err != nil {
					c.Error(err)
				}
				scenetest.Same(c, "client got", got, []byte(last))
				const alert = 21
				if notified := wire.last() == alert; notified != d.notify {
					c.Errorf("client got close_notify: %t, the origin sent it: %t", notified, d.notify)
				}
				conn.Close()
				return conn
			},
			func(c *scene, s sight) { s.ended(c, "bumped", "tls", "", last) },
		})
	}
	c.play(parts)
}

// recordLog keeps what is read of a TLS connection, to look at its records.
type recordLog struct {
	net.Conn
	read []byte
}

func (r *recordLog) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.read = append(r.read, p[:n]...)
	return n, err
}

// last returns the type of the last record (RFC 5246, Section 6.2.1).
func (r *recordLog) last() (kind byte) {
	for p := r.read; len(p) >= 5; {
		kind = p[0]
		p = p[min(5+int(p[3])<<8+int(p[4]), len(p)):]
	}
	return kind
}
