package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestMirrorDown takes the mirror port down and up again during sessions.
func TestMirrorDown(t *testing.T) {
	c := newScene(t, settings{Gaps: true})
	session, busy := c.Chat(firstPort), c.Chat(firstPort+1)
	session.Exchange(10)
	enough, idle := make(chan struct{}), make(chan error, 1)
	go func() { // meets the changes wherever it is
		for {
			select {
			case <-enough:
				idle <- nil
				return
			case <-time.After(time.Millisecond):
			}
			if err := busy.Once(); err != nil {
				idle <- err
				return
			}
		}
	}()
	c.mirror(false)
	c.AwaitLog(1, "mirror interface not usable", lab.MirrorInterface)
	session.Exchange(10)
	const lost = `clearspan_mirror_lost_octets_total{reason="no-link",sink="recorder"}`
	if n := c.Metrics()[lost]; n < 10*2*16<<10 {
		t.Errorf("%v octets of sessions that are open count as lost", n)
	}
	c.mirror(true)
	c.AwaitLog(2, "mirror interface usable", lab.MirrorInterface) // the first one at the start
	session.Exchange(10)
	session.End()
	close(enough)
	if err := <-idle; err != nil {
		t.Error(err)
	}
	busy.End()
	after := c.Chat(firstPort + 2)
	after.Exchange(10)
	after.End()
	recorded, entries := c.Stop(), c.Entries()

	const round = 2 * 16 << 10 // octets of one exchange
	for _, s := range []struct {
		port ends
		lost uint64
	}{{scenetest.LocalPort(session.Conn), 10 * round}, {scenetest.LocalPort(after.Conn), 0}} {
		e, v := c.EntryOf(entries, s.port), c.ConversationOf(recorded, s.port)
		m := e.Mirror["recorder"]
		if m.Lost != s.lost || scenetest.Missing(v) != s.lost || s.lost > 0 && m.Reason != "no-link" {
			t.Errorf("%d octets lost (%s), gaps of %d, want %d", m.Lost, m.Reason, scenetest.Missing(v), s.lost)
		}
	}
	for _, e := range entries {
		if m := e.Mirror["files"]; m.Lost != 0 {
			t.Errorf("%d octets lost in files (%s), whose storage was never away", m.Lost, m.Reason)
		}
	}
	port := scenetest.LocalPort(busy.Conn)
	m, gaps := c.EntryOf(entries, port).Mirror["recorder"], scenetest.Missing(c.ConversationOf(recorded, port))
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
	c := newScene(t, settings{Mirror: "  - {name: late, kind: interface, interface: " + ours + "}"})
	early := c.Chat(firstPort)
	early.Exchange(3)
	spanning := c.Chat(firstPort + 1)
	spanning.Exchange(3)
	early.End()

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
	capture, err := lab.StartCapture(c.Recorder, theirs, filepath.Join(c.Directory("late"), "late.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	c.AwaitLog(1, "mirror interface usable", ours)
	spanning.Exchange(3)
	spanning.End()
	late := c.Chat(firstPort + 2)
	late.Exchange(3)
	late.End()
	c.Stop()
	if _, err := capture.Stop(); err != nil {
		t.Fatal(err)
	}
	c.Gaps = true // what is recorded of the spanning session begins with one
	recorded, entries := c.ReadCapture(capture.File), c.Entries()
	c.Account("late", recorded)
	problems, err := c.Problems(capture.File)
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
		{"early", scenetest.LocalPort(early.Conn), 3 * round, false},
		{"spanning", scenetest.LocalPort(spanning.Conn), 3 * round, true},
		{"late", scenetest.LocalPort(late.Conn), 0, true},
	} {
		m := c.EntryOf(entries, s.port).Mirror["late"]
		if m.Lost != s.lost || s.lost > 0 && m.Reason != "no-link" {
			t.Errorf("%s: %d octets lost (%s), want %d", s.name, m.Lost, m.Reason, s.lost)
		}
		seen := false
		for _, v := range recorded {
			if v.Client.Port() == s.port.Client {
				seen = true
				if scenetest.Missing(v) != s.lost {
					t.Errorf("%s: gaps of %d octets, want %d", s.name, scenetest.Missing(v), s.lost)
				}
			}
		}
		if seen != s.seen {
			t.Errorf("%s: recorded %t, want %t", s.name, seen, s.seen)
		}
	}
}
