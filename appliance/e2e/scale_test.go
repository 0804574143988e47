package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestManySessions has 500 sessions open at once, each with octets of its own,
// and finds them apart on the mirror.
func TestManySessions(t *testing.T) {
	const sessions, lines = 500, 300
	c := newScene(t, settings{})
	c.listen(6443, c.echo(&tls.Config{Certificates: []tls.Certificate{c.pair(c.cert)}}))
	config := &tls.Config{RootCAs: c.pool(c.ca), ServerName: webName}

	type result struct {
		port ends
		err  error
	}
	var open sync.WaitGroup // until all are
	open.Add(sessions)
	results := make([]result, sessions)
	said := make([][]byte, sessions)
	slots := make(chan struct{}, 32) // handshakes at once
	var running sync.WaitGroup
	for i := range sessions {
		said[i] = bytes.Repeat(fmt.Appendf(nil, "session %03d %s\n", i, rand.Text()), lines)
		running.Go(func() {
			slots <- struct{}{}
			conn, err := c.secret(6443, config)
			<-slots
			open.Done()
			if err != nil {
				results[i].err = err
				return
			}
			defer conn.Close()
			results[i].port = localPort(conn)
			open.Wait()
			results[i].err = exchanged(conn, said[i])
		})
	}
	running.Wait()
	for i, r := range results {
		if r.err != nil {
			t.Fatalf("session %d: %v", i, r.err)
		}
	}
	recorded := c.stop()
	if len(recorded) != sessions {
		t.Errorf("%d conversations", len(recorded))
	}
	entries := c.entries()
	for i, r := range results {
		v := c.conversationOf(recorded, r.port)
		same(t, fmt.Sprintf("session %d, towards the origin", i), v.Streams[0], said[i])
		same(t, fmt.Sprintf("session %d, towards the client", i), v.Streams[1], said[i])
		if !v.Ended || v.Reset || len(v.Gaps[0])+len(v.Gaps[1]) > 0 {
			t.Errorf("session %d: ended %t, reset %t, gaps %v", i, v.Ended, v.Reset, v.Gaps)
		}
		if e := c.entryOf(entries, r.port); e.Outcome != "bumped" || e.Reason != "" || e.Mirror["recorder"].Lost+e.Mirror["files"].Lost > 0 {
			t.Errorf("session %d: %+v", i, e)
		}
	}
}

// secret opens a TLS session to a port of the origin. It may be called by any
// goroutine.
func (c *scene) secret(port int, config *tls.Config) (*tls.Conn, error) {
	conn, err := c.Client.DialContext(c.ctx, "tcp", fmt.Sprintf("%s:%d", lab.OriginV4, port))
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(c.ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return client, nil
}

// exchanged sends what an echo sends back, in pieces, while it reads that.
func exchanged(conn *tls.Conn, what []byte) error {
	const piece = 1000
	sent := make(chan error, 1)
	go func() {
		for rest := what; len(rest) > 0; {
			n := min(piece, len(rest))
			if _, err := conn.Write(rest[:n]); err != nil {
				sent <- err
				return
			}
			rest = rest[n:]
		}
		sent <- conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err := <-sent; err != nil {
		return err
	}
	if err == nil && !bytes.Equal(got, what) {
		err = fmt.Errorf("%d octets came back as %d others", len(what), len(got))
	}
	return err
}
