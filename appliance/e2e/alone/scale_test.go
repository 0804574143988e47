package alone

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestManySessions has 500 sessions open at once, each with octets of its own,
// and finds them apart on the mirror.
func TestManySessions(t *testing.T) {
	const sessions, lines = 500, 300
	c := newScene(t, settings{})
	c.Listen(6443, c.Echo(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}))
	config := &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName}

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
			conn, err := c.Secret(6443, config)
			<-slots
			open.Done()
			if err != nil {
				results[i].err = err
				return
			}
			defer conn.Close()
			results[i].port = scenetest.LocalPort(conn)
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
	recorded := c.Stop()
	if len(recorded) != sessions {
		t.Errorf("%d conversations", len(recorded))
	}
	entries := c.Entries()
	for i, r := range results {
		v := c.ConversationOf(recorded, r.port)
		scenetest.Same(t, fmt.Sprintf("session %d, towards the origin", i), v.Streams[0], said[i])
		scenetest.Same(t, fmt.Sprintf("session %d, towards the client", i), v.Streams[1], said[i])
		if !v.Ended || v.Reset || len(v.Gaps[0])+len(v.Gaps[1]) > 0 {
			t.Errorf("session %d: ended %t, reset %t, gaps %v", i, v.Ended, v.Reset, v.Gaps)
		}
		if e := c.EntryOf(entries, r.port); e.Outcome != "bumped" || e.Reason != "" || e.Mirror["recorder"].Lost+e.Mirror["files"].Lost > 0 {
			t.Errorf("session %d: %+v", i, e)
		}
	}
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
