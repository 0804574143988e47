package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// chat is a session whose origin returns what it gets.
type chat struct {
	c    *scene
	conn net.Conn
	tls  *tls.Conn
}

// chat begins a session by TLS.
func (c *scene) chat(port int) *chat {
	c.Helper()
	c.listenTLS(port, func(conn *tls.Conn, _ net.Conn) {
		io.Copy(conn, conn)
		conn.Close()
	})
	conn := c.dial(port)
	return &chat{c, conn, c.secured(conn)}
}

// exchange sends 16 KiB to and fro, so many times.
func (e *chat) exchange(times int) {
	e.c.Helper()
	for range times {
		if err := e.once(); err != nil {
			e.c.Fatal(err)
		}
	}
}

func (e *chat) once() error {
	sent, got := make([]byte, 16<<10), make([]byte, 16<<10)
	rand.Read(sent)
	if _, err := e.tls.Write(sent); err != nil {
		return err
	}
	if _, err := io.ReadFull(e.tls, got); err != nil {
		return err
	}
	if !bytes.Equal(got, sent) {
		return errors.New("the echo differs")
	}
	return nil
}

// end closes the session in order.
func (e *chat) end() {
	e.c.Helper()
	e.tls.CloseWrite()
	if rest, err := io.ReadAll(e.tls); len(rest) > 0 || err != nil {
		e.c.Errorf("%d octets at the end, %v", len(rest), err)
	}
	e.conn.Close()
}

// missing sums up the gaps of a conversation.
func missing(v mirrortest.Conversation) (n uint64) {
	for _, gaps := range v.Gaps {
		for _, g := range gaps {
			n += g.Length
		}
	}
	return n
}

// TestMirrorDown takes the mirror port down and up again during sessions.
func TestMirrorDown(t *testing.T) {
	c := newScene(t, settings{gaps: true})
	session, busy := c.chat(firstPort), c.chat(firstPort+1)
	session.exchange(10)
	enough, idle := make(chan struct{}), make(chan error, 1)
	go func() { // meets the changes wherever it is
		for {
			select {
			case <-enough:
				idle <- nil
				return
			case <-time.After(time.Millisecond):
			}
			if err := busy.once(); err != nil {
				idle <- err
				return
			}
		}
	}()
	c.mirror(false)
	c.awaitLog(1, "mirror interface not usable", lab.MirrorInterface)
	session.exchange(10)
	c.mirror(true)
	c.awaitLog(2, "mirror interface usable", lab.MirrorInterface) // the first one at the start
	session.exchange(10)
	session.end()
	close(enough)
	if err := <-idle; err != nil {
		t.Error(err)
	}
	busy.end()
	after := c.chat(firstPort + 2)
	after.exchange(10)
	after.end()
	recorded, entries := c.stop(), c.entries()

	const round = 2 * 16 << 10 // octets of one exchange
	for _, s := range []struct {
		port ends
		lost uint64
	}{{localPort(session.conn), 10 * round}, {localPort(after.conn), 0}} {
		e, v := c.entryOf(entries, s.port), c.conversationOf(recorded, s.port)
		m := e.Mirror["recorder"]
		if m.Lost != s.lost || missing(v) != s.lost || s.lost > 0 && m.Reason != "no-link" {
			t.Errorf("%d octets lost (%s), gaps of %d, want %d", m.Lost, m.Reason, missing(v), s.lost)
		}
	}
	for _, e := range entries {
		if m := e.Mirror["files"]; m.Lost != 0 {
			t.Errorf("%d octets lost in files (%s), whose storage was never away", m.Lost, m.Reason)
		}
	}
	port := localPort(busy.conn)
	m, gaps := c.entryOf(entries, port).Mirror["recorder"], missing(c.conversationOf(recorded, port))
	if m.Lost == 0 || m.Lost != gaps || m.Reason != "no-link" {
		t.Errorf("busy session: %d octets lost (%s), gaps of %d", m.Lost, m.Reason, gaps)
	}
}

// mirror sets the mirror port up or down.
func (c *scene) mirror(up bool) {
	c.Helper()
	if err := c.Box.SetUp(lab.MirrorInterface, up); err != nil {
		c.Fatal(err)
	}
}

// TestMirrorMissing starts the appliance before one of its mirror ports is there.
func TestMirrorMissing(t *testing.T) {
	const ours, theirs = "late0", "rec1"
	c := newScene(t, settings{mirror: "  - {name: late, kind: interface, interface: " + ours + "}"})
	early := c.chat(firstPort)
	early.exchange(3)
	spanning := c.chat(firstPort + 1)
	spanning.exchange(3)
	early.end()

	err := c.Lab.Link(netlab.End{Namespace: c.Box, Name: ours, Silent: true},
		netlab.End{Namespace: c.Recorder, Name: theirs, Silent: true}, netlab.LinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		c.Box.SetOffload(ours, false, netlab.TXChecksum, netlab.TSO, netlab.GSO),
		c.Recorder.SetOffload(theirs, false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	capture, err := lab.StartCapture(c.Recorder, theirs, filepath.Join(c.directory("late"), "late.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	c.awaitLog(1, "mirror interface usable", ours)
	spanning.exchange(3)
	spanning.end()
	late := c.chat(firstPort + 2)
	late.exchange(3)
	late.end()
	c.stop()
	if _, err := capture.Stop(); err != nil {
		t.Fatal(err)
	}
	c.gaps = true // what is recorded of the spanning session begins with one
	recorded, entries := c.read(capture.File), c.entries()
	c.account("late", recorded)
	problems, err := c.problems(capture.File)
	if err != nil || len(problems) > 0 {
		t.Errorf("tshark objects: %q, %v", problems, err)
	}

	const round = 2 * 16 << 10
	for _, s := range []struct {
		name string
		port ends
		lost uint64
		seen bool
	}{
		{"early", localPort(early.conn), 3 * round, false},
		{"spanning", localPort(spanning.conn), 3 * round, true},
		{"late", localPort(late.conn), 0, true},
	} {
		m := c.entryOf(entries, s.port).Mirror["late"]
		if m.Lost != s.lost || s.lost > 0 && m.Reason != "no-link" {
			t.Errorf("%s: %d octets lost (%s), want %d", s.name, m.Lost, m.Reason, s.lost)
		}
		seen := false
		for _, v := range recorded {
			if v.Client.Port() == s.port.client {
				seen = true
				if missing(v) != s.lost {
					t.Errorf("%s: gaps of %d octets, want %d", s.name, missing(v), s.lost)
				}
			}
		}
		if seen != s.seen {
			t.Errorf("%s: recorded %t, want %t", s.name, seen, s.seen)
		}
	}
}
