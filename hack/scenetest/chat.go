package scenetest

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// Chat is a session whose origin returns what it gets.
type Chat struct {
	c    *Scene
	Conn net.Conn
	TLS  *tls.Conn
}

// Chat begins a session by TLS.
func (c *Scene) Chat(port int) *Chat {
	c.Helper()
	c.ListenTLS(port, func(conn *tls.Conn, _ net.Conn) {
		io.Copy(conn, conn)
		conn.Close()
	})
	conn := c.Dial(port)
	return &Chat{c, conn, c.Secured(conn)}
}

// Exchange sends 16 KiB to and fro, so many times.
func (e *Chat) Exchange(times int) {
	e.c.Helper()
	for range times {
		if err := e.Once(); err != nil {
			e.c.Fatal(err)
		}
	}
}

// Once sends 16 KiB to and fro.
func (e *Chat) Once() error {
	sent, got := make([]byte, 16<<10), make([]byte, 16<<10)
	rand.Read(sent)
	if _, err := e.TLS.Write(sent); err != nil {
		return err
	}
	if _, err := io.ReadFull(e.TLS, got); err != nil {
		return err
	}
	if !bytes.Equal(got, sent) {
		return errors.New("the echo differs")
	}
	return nil
}

// End closes the session in order.
func (e *Chat) End() {
	e.c.Helper()
	e.TLS.CloseWrite()
	if rest, err := io.ReadAll(e.TLS); len(rest) > 0 || err != nil {
		e.c.Errorf("%d octets at the end, %v", len(rest), err)
	}
	e.Conn.Close()
}

// Secured makes the client's connection a TLS connection to WebName.
func (c *Scene) Secured(conn net.Conn) *tls.Conn {
	c.Helper()
	secure := tls.Client(conn, &tls.Config{RootCAs: c.Pool(c.CA), ServerName: WebName})
	if err := secure.HandshakeContext(c.Ctx); err != nil {
		c.Fatal(err)
	}
	return secure
}

// Missing sums up the gaps of a conversation.
func Missing(v mirrortest.Conversation) (n uint64) {
	for _, gaps := range v.Gaps {
		for _, g := range gaps {
			n += g.Length
		}
	}
	return n
}

// Secret opens a TLS session to a port of the origin. It may be called by any
// goroutine.
func (c *Scene) Secret(port int, config *tls.Config) (*tls.Conn, error) {
	conn, err := c.Client.DialContext(c.Ctx, "tcp", fmt.Sprintf("%s:%d", lab.OriginV4, port))
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(c.Ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return client, nil
}
