package e2e

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestInlineCrowd has many sessions in a bridge at once, by IPv4 and IPv6, to ports
// that are all the same one there, each with words of its own both ways: none gets
// another's. They are 200, and 1,000 with CLEARSPAN_ROUNDS of more than 1.
func TestInlineCrowd(t *testing.T) {
	sessions := 200
	if tempo.Rounds() > 1 {
		sessions = 1000
	}
	c, d := deviceScene(t, "port: 80, timeout: 30s, on_failure: closed", (*device).bridge, settings{Lasts: time.Minute})
	ports := []int{6443, 6444, 6445}
	for _, port := range ports {
		c.ListenTLS(port, func(conn *tls.Conn, under net.Conn) {
			under.SetDeadline(time.Now().Add(3 * time.Minute))
			reply(conn)
		})
	}
	config := &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName}

	all := make([]*talk, sessions)
	var opened, met sync.WaitGroup // until all are open, and have said something
	opened.Add(sessions)
	met.Add(sessions)
	goOn := make(chan struct{})
	slots := make(chan struct{}, 32) // handshakes at once
	var running sync.WaitGroup
	for i := range all {
		address := []string{lab.OriginV4, lab.OriginV6}[i%2]
		s := &talk{marker: fmt.Sprintf("session %03d %s", i, rand.Text()), origin: netip.AddrPortFrom(netip.MustParseAddr(address), uint16(ports[i%3]))}
		all[i] = s
		running.Go(func() {
			slots <- struct{}{}
			s.open(c, config)
			<-slots
			opened.Done()
			opened.Wait()
			s.say(1)
			met.Done()
			<-goOn
			s.say(50)
			s.end()
		})
	}
	met.Wait()
	inside := d.events("sessions-open")
	close(goOn)
	running.Wait()
	failed := 0
	for _, s := range all {
		if s.err != nil {
			failed++
			if failed < 10 {
				t.Errorf("%s: %v", s.marker, s.err)
			}
		}
	}
	if failed > 0 {
		t.Fatalf("%d sessions failed", failed)
	}
	if inside != sessions {
		t.Errorf("%d sessions were in the device at once", inside)
	}
	scenetest.Eventually(t, "sessions ended", func() bool { return d.events("carried")+d.events("port-changed") == sessions })
	late, unpaired := d.events("late"), d.events("unpaired")
	if late+unpaired != 0 {
		t.Errorf("%d connections came out of the device late, %d frames without a session", late, unpaired)
	}
	// Two sessions of one client port may go to two ports of the origin.
	type flow struct{ client, origin netip.AddrPort }
	recorded := make(map[flow]mirrortest.Conversation)
	for _, v := range c.Stop() {
		recorded[flow{v.Client, v.Origin}] = v
	}
	entries := make(map[flow]entry)
	for _, e := range c.Entries() {
		entries[flow{e.Client, e.Origin}] = e
	}
	for _, s := range all {
		v, e := recorded[flow{s.client, s.origin}], entries[flow{s.client, s.origin}]
		if string(v.Streams[0]) != s.said || string(v.Streams[1]) != s.heard {
			t.Errorf("%s: others are recorded: %.80q and %.80q", s.marker, v.Streams[0], v.Streams[1])
		}
		if word := d.word(e); word != "carried" && word != "port-changed" || e.Outcome != "bumped" || e.Reason != "" {
			t.Errorf("%s: entry %+v", s.marker, e)
		}
	}
	t.Logf("%d sessions: %v", sessions, d.words(c.Entries()))
}

// reply answers every line with one that holds it.
func reply(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if _, err := fmt.Fprintf(conn, "reply to %s\n", lines.Text()); err != nil {
			return
		}
	}
	if lines.Err() == nil {
		conn.Close()
	}
}

// talk is a session in which every line has the same marker.
type talk struct {
	marker      string
	client      netip.AddrPort
	origin      netip.AddrPort
	conn        *tls.Conn // nil: not open
	lines       *bufio.Reader
	said, heard string
	err         error // the first; nothing more happens then
}

func (s *talk) open(c *scene, config *tls.Config) {
	conn, err := c.Client.DialContext(c.Ctx, "tcp", s.origin.String())
	if err != nil {
		s.err = err
		return
	}
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	s.client, _ = netip.ParseAddrPort(conn.LocalAddr().String())
	secure := tls.Client(conn, config)
	if s.err = secure.HandshakeContext(c.Ctx); s.err != nil {
		conn.Close()
		return
	}
	s.conn, s.lines = secure, bufio.NewReader(secure)
}

// say sends lines and wants a reply to each of them.
func (s *talk) say(lines int) {
	if s.err != nil {
		return
	}
	line := s.marker + "\n"
	if _, s.err = s.conn.Write([]byte(strings.Repeat(line, lines))); s.err != nil {
		return
	}
	for range lines {
		var got string
		if got, s.err = s.lines.ReadString('\n'); s.err != nil {
			return
		}
		if got != "reply to "+line {
			s.err = fmt.Errorf("got %q", got)
			return
		}
		s.said += line
		s.heard += got
	}
}

func (s *talk) end() {
	if s.conn == nil {
		return
	}
	defer s.conn.Close()
	if s.err != nil {
		return
	}
	if s.err = s.conn.CloseWrite(); s.err != nil {
		return
	}
	if more, err := s.lines.ReadString('\n'); more != "" || err != io.EOF {
		s.err = fmt.Errorf("got %q at the end, %v", more, err)
	}
}
