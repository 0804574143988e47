package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// part is one session of a play, on a port of its own.
type part struct {
	name string
	// run plays the session to its end, and returns the client's connection, by
	// whose port the session is found.
	run func(c *scene, port int) net.Conn
	// seen judges what was noted and recorded of it. May be nil.
	seen func(c *scene, s sight)
}

// sight is what there is to see of a session when it is over.
type sight struct {
	entry
	conversation *mirrortest.Conversation // nil if none was recorded
	resetBy      string                   // "client", "origin", or "" without a RST in the recording
}

// firstPort is the origin's port for the first part of a play; the second part
// has the next.
const firstPort = 41001

// play has all parts act at the same time, makes sure that nothing of them is
// left in the appliance, ends the scene, and judges what was recorded.
func (c *scene) play(parts []part) {
	c.Helper()
	before := c.Metrics()
	clients := make([]ends, len(parts)) // none where a part failed, or was not selected
	var acting sync.WaitGroup
	for i, p := range parts {
		acting.Go(func() {
			c.Run(p.name, func(t *testing.T) {
				clients[i] = scenetest.LocalPort(p.run(c.In(t), firstPort+i))
			})
		})
	}
	acting.Wait()
	c.Quiet(before)
	recorded := c.Stop()
	entries := c.Entries()
	resets := c.resets()
	for i, p := range parts {
		if clients[i] == (ends{}) || p.seen == nil {
			continue
		}
		c.Run(p.name+", recorded", func(t *testing.T) {
			s := sight{entry: c.In(t).EntryOf(entries, clients[i]), resetBy: resets[clients[i]]}
			shown := clients[i]
			if port := s.Flow.Ports["recorder"]; port != 0 {
				shown.Origin = port
			}
			s.conversation = scenetest.FindConversation(recorded, shown)
			p.seen(c.In(t), s)
		})
	}
}

// resets tells who sent the RST of each session in the recording.
func (c *scene) resets() map[ends]string {
	c.Helper()
	rows, err := lab.Fields(c.Ctx, c.Capture.File, "tcp.flags.reset==1", "tcp.srcport", "tcp.dstport", "ip.src")
	if err != nil {
		c.Fatal(err)
	}
	by := make(map[ends]string)
	for _, row := range rows {
		source, err := strconv.ParseUint(row[0], 10, 16)
		destination, err2 := strconv.ParseUint(row[1], 10, 16)
		if err != nil || err2 != nil {
			c.Fatalf("RST in the recording: %q", row)
		}
		who, port := "client", scenetest.Between(uint16(source), uint16(destination))
		if row[2] == lab.OriginV4 {
			who, port = "origin", scenetest.Between(uint16(destination), uint16(source))
		}
		by[port] += who // twice, if there are two
	}
	return by
}

// ended judges a session that ended in order, with these octets.
func (s sight) ended(c *scene, outcome, protocol, toOrigin, toClient string) {
	c.Helper()
	if s.Outcome != outcome || s.Protocol != protocol || s.Reason != "" || s.Err() != nil {
		c.Errorf("want outcome %s and protocol %q, in order; entry %+v", outcome, protocol, s.entry)
	}
	v := s.conversation
	if v == nil {
		c.Fatal("not recorded")
	}
	if !v.Ended || s.resetBy != "" || v.Gaps[0] != nil || v.Gaps[1] != nil {
		c.Errorf("ended %t, reset by %q, gaps %v", v.Ended, s.resetBy, v.Gaps)
	}
	scenetest.Same(c, "recorded from client to origin", v.Streams[0], []byte(toOrigin))
	scenetest.Same(c, "recorded from origin to client", v.Streams[1], []byte(toClient))
}

// Err reports whether all octets relayed are on the mirror port.
func (s sight) Err() error {
	m := s.Mirror["recorder"]
	if m.Lost != 0 || m.Reason != "" {
		return fmt.Errorf("%d octets lost (%s)", m.Lost, m.Reason)
	}
	return nil
}

// failed judges a session that was given up before anything was relayed.
func (s sight) failed(c *scene, reason string) {
	c.Helper()
	if s.Outcome != "failed" || s.Reason != reason {
		c.Errorf("want outcome failed for %s; entry %+v", reason, s.entry)
	}
	if s.conversation != nil {
		c.Errorf("%d frames recorded of a session that never was", s.conversation.Frames)
	}
}

// duplex is a *net.TCPConn or a *tls.Conn.
type duplex interface {
	io.ReadWriter
	CloseWrite() error
}

// turn is something that one end of a dialogue does while the other waits for it.
type turn struct {
	origin bool          // the origin does it, not the client
	after  time.Duration // of silence
	say    string
	end    bool // and then sends no more
}

// perform acts one end's turns, and waits for those of the other. Then it ends
// its direction, unless one of its turns did, and waits for the other's end.
func perform(conn duplex, origin bool, turns []turn) error {
	ended := false
	for i, t := range turns {
		if t.origin == origin {
			time.Sleep(t.after)
			if _, err := io.WriteString(conn, t.say); err != nil {
				return fmt.Errorf("turn %d: %w", i, err)
			}
			if t.end {
				ended = true
				if err := conn.CloseWrite(); err != nil {
					return fmt.Errorf("turn %d: %w", i, err)
				}
			}
			continue
		}
		heard := make([]byte, len(t.say))
		if n, err := io.ReadFull(conn, heard); err != nil || string(heard) != t.say {
			return fmt.Errorf("turn %d: heard %.100q, %v", i, heard[:n], err)
		}
		if t.end {
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				return fmt.Errorf("turn %d: want the end, got %d octets, %v", i, n, err)
			}
		}
	}
	var err error
	if !ended {
		err = conn.CloseWrite()
	}
	rest, readErr := io.ReadAll(conn)
	if len(rest) > 0 {
		return fmt.Errorf("heard %.100q at the end", rest)
	}
	return errors.Join(err, readErr)
}

// plain plays turns without TLS.
func plain(turns []turn) func(c *scene, port int) net.Conn {
	return func(c *scene, port int) net.Conn {
		done := make(chan error, 1)
		c.Listen(port, func(conn net.Conn) { done <- perform(conn.(*net.TCPConn), true, turns) })
		conn := c.Dial(port)
		if err := perform(conn.(*net.TCPConn), false, turns); err != nil {
			c.Errorf("client: %v", err)
		}
		conn.Close()
		if err := <-done; err != nil {
			c.Errorf("origin: %v", err)
		}
		return conn
	}
}

// secret plays turns over TLS, which the client begins after a silence.
func secret(silence time.Duration, turns []turn) func(c *scene, port int) net.Conn {
	return func(c *scene, port int) net.Conn {
		done := make(chan error, 1)
		c.ListenTLS(port, func(conn *tls.Conn, _ net.Conn) { done <- perform(conn, true, turns) })
		conn := c.Dial(port)
		time.Sleep(silence)
		if err := perform(c.Secured(conn), false, turns); err != nil {
			c.Errorf("client: %v", err)
		}
		conn.Close()
		if err := <-done; err != nil {
			c.Errorf("origin: %v", err)
		}
		return conn
	}
}

// said returns what turns make one end say.
func said(origin bool, turns []turn) string {
	var all strings.Builder
	for _, t := range turns {
		if t.origin == origin {
			all.WriteString(t.say)
		}
	}
	return all.String()
}
