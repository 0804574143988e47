package e2e

import (
	"path/filepath"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// TestSeveralPorts spreads sessions over two mirror ports, by each method: every
// session is on one of them, whole, and both have some.
func TestSeveralPorts(t *testing.T) {
	for _, method := range []string{"auto", "sendmmsg", "gso", "xdp"} {
		t.Run(method, func(t *testing.T) { severalPorts(t, method) })
	}
}

func severalPorts(t *testing.T, method string) {
	c := newScene(t, settings{Mirror: "  - {name: pair, kind: interface, interface: [pair0, pair1], method: " + method + "}"})
	var captures []*lab.Capture
	for _, end := range []struct{ ours, theirs string }{{"pair0", "rec1"}, {"pair1", "rec2"}} {
		if err := c.Lab.Link(netlab.End{Namespace: c.Box, Name: end.ours, Silent: true},
			netlab.End{Namespace: c.Recorder, Name: end.theirs, Silent: true}, netlab.LinkOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := c.Recorder.SetOffload(end.theirs, false, netlab.GRO); err != nil {
			t.Fatal(err)
		}
		capture, err := lab.StartCapture(c.Recorder, end.theirs, filepath.Join(c.Directory(end.theirs), end.theirs+".pcap"))
		if err != nil {
			t.Fatal(err)
		}
		captures = append(captures, capture)
		c.AwaitLog(1, "mirror interface usable", end.ours)
	}
	const sessions, octets = 12, 5 * 2 * 16 << 10
	recordings := make(map[uint16]int) // by origin port
	for i := range sessions {
		s := c.Chat(firstPort + i)
		s.Exchange(5)
		s.End()
	}
	c.Stop()
	for _, e := range c.Entries() {
		if m := e.Mirror["pair"]; m.Octets != octets || m.Lost != 0 {
			t.Errorf("entry says %d octets and %d lost, want %d and 0", m.Octets, m.Lost, octets)
		}
	}
	for _, capture := range captures {
		if _, err := capture.Stop(); err != nil {
			t.Fatal(err)
		}
		recorded := c.ReadCapture(capture.File)
		if len(recorded) == 0 {
			t.Errorf("no session in %s", capture.File)
		}
		for _, v := range recorded {
			recordings[v.Origin.Port()]++
			if got := v.Octets[0] + v.Octets[1]; got != octets {
				t.Errorf("port %d: %d octets recorded, want %d", v.Origin.Port(), got, octets)
			}
		}
		problems, err := c.Problems(capture.File)
		if err != nil || len(problems) > 0 {
			t.Errorf("tshark objects: %q, %v", problems, err)
		}
	}
	if len(recordings) != sessions {
		t.Errorf("%d sessions recorded, want %d", len(recordings), sessions)
	}
	for port, times := range recordings {
		if times != 1 {
			t.Errorf("session with port %d was recorded %d times", port, times)
		}
	}
}
