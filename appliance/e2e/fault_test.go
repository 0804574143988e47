package e2e

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// Time-outs of TestFaults, and what they may be exceeded by on a busy machine.
const (
	handshakeTimeout = 2 * time.Second
	connectTimeout   = time.Second
	slack            = 2 * time.Second
)

// halfHello is the beginning of a ClientHello of 512 octets.
const halfHello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

// TestFaults has clients and origins that do not do what they should. Each such
// session ends in time and with its reason, and others do not notice.
func TestFaults(t *testing.T) {
	c := newScene(t, settings{
		Origin: "connect_timeout: 1s",
		More:   "client: {handshake_timeout: 2s}",
	})
	c.Nginx()
	var parts []part

	// Origins.
	for _, d := range []struct {
		name   string
		addr   func(port int) string
		within [2]time.Duration
		reason string
	}{
		{"origin refuses", func(port int) string { return fmt.Sprintf("%s:%d", lab.OriginV4, port) },
			[2]time.Duration{0, slack}, "origin-refused"},
		{"origin is not there", func(port int) string { return fmt.Sprintf("192.0.2.77:%d", port) },
			[2]time.Duration{connectTimeout / 2, connectTimeout + slack}, "origin-unreachable"},
	} {
		for _, first := range []struct{ name, octets string }{
			{"TLS", sampleHello(t)}, {"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}, {"a silent client", ""},
		} {
			parts = append(parts, part{d.name + ", " + first.name, func(c *scene, port int) net.Conn {
				conn, err := c.Client.DialContext(c.Ctx, "tcp", d.addr(port))
				if errors.Is(err, syscall.ECONNRESET) && d.within[0] == 0 {
					return scenetest.Unknown(port) // it has come before connect(2) was back
				}
				if err != nil {
					c.Fatal(err)
				}
				defer conn.Close()
				c.ends(conn, first.octets, d.within, nil)
				return conn
			}, func(c *scene, s sight) { s.failed(c, d.reason) }})
		}
	}
	parts = append(parts, part{"origin stalls in the handshake", func(c *scene, port int) net.Conn {
		c.Listen(port, func(conn net.Conn) { io.Copy(io.Discard, conn) })
		conn := c.Dial(port)
		c.ends(conn, sampleHello(c.T), [2]time.Duration{handshakeTimeout / 2, handshakeTimeout + slack}, alertRecord(40))
		return conn
	}, func(c *scene, s sight) { s.failed(c, "origin-handshake") }})
	parts = append(parts, part{"origin answers garbage", func(c *scene, port int) net.Conn {
		c.Listen(port, func(conn net.Conn) {
			conn.Read(make([]byte, 1))
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			io.Copy(io.Discard, conn)
		})
		conn := c.Dial(port)
		c.ends(conn, sampleHello(c.T), [2]time.Duration{0, slack}, alertRecord(40))
		return conn
	}, func(c *scene, s sight) { s.failed(c, "origin-handshake") }})

	// Clients.
	huge := "\x16\x03\x01\x40\x00\x01\x01\x00\x00" + strings.Repeat("x", 0x4000-4)
	for range 4 {
		huge += "\x16\x03\x01\x40\x00" + strings.Repeat("x", 0x4000)
	}
	for _, d := range []struct {
		name, octets string
		within       [2]time.Duration
		answer       []byte
		reason       string
	}{
		// RFC 8446, Section 6.2: a record or message of another type is unexpected_message.
		{"garbage in a handshake record", "\x16\x03\x01\x00\x20\x02" + strings.Repeat("\xff", 31), [2]time.Duration{0, slack}, alertRecord(10), "malformed-hello"},
		// RFC 8446, Section 6.2: a message that cannot be decoded is decode_error.
		{"garbage in a hello", "\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03" + strings.Repeat("\xff", 42), [2]time.Duration{0, slack}, alertRecord(50), "malformed-hello"},
		{"hello over 64 KiB", huge, [2]time.Duration{0, slack}, nil, "hello-too-long"},
		{"half a hello, then silence", halfHello, [2]time.Duration{handshakeTimeout / 2, handshakeTimeout + slack}, nil, "client-silent"},
	} {
		var reached atomic.Int32
		var late int
		parts = append(parts, part{d.name, func(c *scene, port int) (conn net.Conn) {
			c.Listen(port, func(net.Conn) { reached.Add(1) })
			conn, late = c.promptly(port, d.octets)
			c.ends(conn, "", d.within, d.answer)
			return conn
		}, func(c *scene, s sight) {
			s.failed(c, d.reason)
			if n := reached.Load(); int(n) > late {
				c.Errorf("the origin saw %d connections, %d clients were late", n, late)
			}
		}})
	}
	parts = append(parts, part{"half a hello, an octet at a time", func(c *scene, port int) net.Conn {
		c.Listen(port, func(conn net.Conn) { io.Copy(io.Discard, conn) }) // for a client whose first octet is late
		conn := c.Dial(port)
		start := time.Now()
		var err error
		for i := 0; err == nil && time.Since(start) < 10*time.Second; i++ {
			_, err = conn.Write([]byte{sampleHello(c.T)[i]})
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took < handshakeTimeout/2 || took > handshakeTimeout+slack {
			c.Errorf("ended after %v, %v", took, err)
		}
		return conn
	}, func(c *scene, s sight) { s.failed(c, "client-silent") }})

	noise := make([]byte, 100_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	noise[0] = 0xff // nothing begins with that
	parts = append(parts, part{"noise passes as it is", plain([]turn{{say: string(noise)}, {origin: true, say: "what?"}}),
		func(c *scene, s sight) { s.ended(c, "plain", "", string(noise), "what?") }})

	parts = append(parts, part{"command pipelined behind STARTTLS", func(c *scene, port int) net.Conn {
		got := make(chan string, 1)
		c.Listen(port, func(conn net.Conn) {
			io.WriteString(conn, "220 mail ESMTP\r\n")
			var all bytes.Buffer
			buffer := make([]byte, 1000)
			for {
				n, err := conn.Read(buffer)
				all.Write(buffer[:n])
				if bytes.HasSuffix(all.Bytes(), []byte("EHLO client\r\n")) {
					io.WriteString(conn, "250-mail\r\n250 STARTTLS\r\n")
				}
				if err != nil {
					got <- all.String()
					return
				}
			}
		})
		conn := c.Dial(port)
		lines := make([]byte, 1000)
		conn.Read(lines)
		io.WriteString(conn, "EHLO client\r\n")
		conn.Read(lines)
		c.ends(conn, "STARTTLS\r\nMAIL FROM:<injected@example.test>\r\n", [2]time.Duration{0, slack}, nil)
		if said := <-got; strings.Contains(said, "injected") {
			c.Errorf("the origin got %q", said)
		}
		return conn
	}, func(c *scene, s sight) {
		if s.Reason != "pipelined-upgrade" || s.conversation == nil || !s.conversation.Reset {
			c.Errorf("entry %+v", s.entry)
		}
	}})

	parts = append(parts, part{"two hundred slow clients and a good one", func(c *scene, _ int) net.Conn {
		var slow sync.WaitGroup
		defer slow.Wait()
		for i := range 200 {
			conn := c.Dial(lab.TLSPort)
			io.WriteString(conn, halfHello[:i%len(halfHello)])
			slow.Go(func() {
				if i%len(halfHello) == 0 {
					time.Sleep(handshakeTimeout)
					conn.Close() // never said anything: the origin's turn
					return
				}
				io.Copy(io.Discard, conn)
			})
		}
		start := time.Now()
		conn := c.Dial(lab.TLSPort)
		if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
			c.Fatal(err)
		}
		secure := c.Secured(conn)
		io.WriteString(secure, "GET / HTTP/1.0\r\n\r\n")
		if answer, err := io.ReadAll(secure); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 ")) {
			c.Errorf("after %v: %.100q, %v", time.Since(start), answer, err)
		}
		conn.Close()
		return conn
	}, func(c *scene, s sight) {
		if s.Outcome != "bumped" || s.Reason != "" || s.conversation == nil {
			c.Errorf("entry %+v", s.entry)
		}
	}})
	c.play(parts)
}

// promptly connects to a port and sends octets before the client counts as silent. On
// a busy machine that takes several connections; late is how many came to nothing.
func (c *scene) promptly(port int, octets string) (conn net.Conn, late int) {
	c.Helper()
	for ; late < 20; late++ {
		begin := time.Now()
		conn = c.Dial(port)
		io.WriteString(conn, octets) // may find that the end has come
		if time.Since(begin) < silence {
			return conn, late
		}
		conn.Close()
	}
	c.Fatal("no octets were sent in time")
	return nil, 0
}

// ends sends octets and waits for the connection's end, which must come within
// these limits. Before it comes answer, if that is not nil; it may be a RST
// otherwise.
func (c *scene) ends(conn net.Conn, octets string, within [2]time.Duration, answer []byte) {
	c.Helper()
	start := time.Now()
	conn.SetDeadline(start.Add(20 * time.Second))
	io.WriteString(conn, octets) // may find that it has come
	got, err := io.ReadAll(conn)
	took := time.Since(start)
	if errors.Is(err, net.ErrClosed) || took < within[0] || took > within[1] {
		c.Errorf("ended after %v, want %v to %v (%v)", took, within[0], within[1], err)
	}
	if answer != nil && (err != nil || !bytes.Equal(got, answer)) {
		c.Errorf("got %q, %v, want %q", got, err, answer)
	}
}

// alertRecord is a fatal alert (RFC 8446, Section 6).
func alertRecord(description byte) []byte { return []byte{21, 3, 3, 0, 2, 2, description} }

// sampleHello returns a whole ClientHello for webName.
func sampleHello(t *testing.T) string {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		defer theirs.Close()
		tls.Client(theirs, &tls.Config{ServerName: webName}).Handshake() // fails when we have what we want
	}()
	hello := make([]byte, 16<<10)
	n, err := ours.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return string(hello[:n])
}
