package port

import (
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// load shows a session, a chunk every 3 ms, until it is told to stop. It
// returns the octets given and the account.
func load(s mirror.Sink, stop <-chan struct{}) (given uint64, account mirror.Account) {
	c := mirror.Open(s, linktest.Flows[0].Flow, linktest.Options(linktest.Flows[0].Mark))
	chunk := make([]byte, 30_000)
	for {
		select {
		case <-stop:
			return given, c.Close()
		case <-time.After(3 * time.Millisecond):
			c.Data(mirror.OriginToClient, chunk)
			given += uint64(len(chunk))
		}
	}
}

// change is what may happen to a port.
type change struct {
	name         string
	change, back func(t *testing.T)
	lossy        bool // octets are lost for certain, unless senders wait
	swallows     bool // the kernel may swallow frames that it took
}

// withoutACK is what is found where the kernel swallowed an ACK.
var withoutACK = []mirrortest.Kind{mirrortest.Unacked, mirrortest.BadWindow, mirrortest.TooMany}

// TestChangesUnderLoad changes the port under way and back. Whatever happens,
// octets given are octets shown or lost, and what counts as shown is recorded.
// With Block nothing counts as lost.
func TestChangesUnderLoad(t *testing.T) {
	t.Parallel()
	link := func(t *testing.T, name string) netlink.Link { return linktest.Named(t, name) }
	for _, tt := range []change{
		{"carrier", func(t *testing.T) { linktest.Must(t, netlink.LinkSetDown(link(t, linktest.Far))) },
			func(t *testing.T) { linktest.Must(t, netlink.LinkSetUp(link(t, linktest.Far))) }, true, true},
		{"interface down", func(t *testing.T) { linktest.Must(t, netlink.LinkSetDown(link(t, linktest.Near))) },
			func(t *testing.T) { linktest.Must(t, netlink.LinkSetUp(link(t, linktest.Near))) }, true, true},
		{"smaller MTU", func(t *testing.T) { linktest.Must(t, netlink.LinkSetMTU(link(t, linktest.Near), 1280)) },
			func(t *testing.T) { linktest.Must(t, netlink.LinkSetMTU(link(t, linktest.Near), 1500)) }, false, false},
		{"larger MTU", func(t *testing.T) {
			linktest.Must(t, netlink.LinkSetMTU(link(t, linktest.Far), 3000))
			linktest.Must(t, netlink.LinkSetMTU(link(t, linktest.Near), 3000))
		}, func(t *testing.T) { linktest.Must(t, netlink.LinkSetMTU(link(t, linktest.Near), 1500)) }, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, full := range []mirror.Overflow{mirror.Drop, mirror.Block} {
				t.Run(string(full), func(t *testing.T) {
					methods(t, func(t *testing.T, m Method) { tt.underLoad(t, m, full) })
				})
			}
		})
	}
}

func (tt *change) underLoad(t *testing.T, m Method, full mirror.Overflow) {
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{Method: m, Full: full})
	stop := make(chan struct{})
	var given uint64
	var account mirror.Account
	done := make(chan struct{})
	go func() {
		defer close(done)
		given, account = load(s, stop)
	}()
	tempo.Until(t, "frames are on their way", func() bool { return s.Stats().Frames > 100 })
	tt.change(t)
	time.Sleep(300 * time.Millisecond) // longer than a poll of the watcher
	tt.back(t)
	tempo.Until(t, "usable again", func() bool { return s.Stats().Up })
	time.Sleep(250 * time.Millisecond) // longer than a poll of the watcher
	close(stop)
	<-done

	shown, lost := account.Octets[1], account.LostOctets(mirror.OriginToClient)
	if shown+lost != given {
		t.Errorf("%d octets given, %d shown + %d lost", given, shown, lost)
	}
	if tt.lossy && full == mirror.Drop && lost == 0 {
		t.Error("nothing lost")
	}
	if full == mirror.Block && lost > 0 {
		t.Errorf("lost %v", account.Lost)
	}
	a := mirrortest.NewAnalyzer(mirrortest.Options{})
	for _, frame := range rec.Some(t, 50*time.Millisecond) {
		a.Add(frame)
	}
	conversations, findings := a.Finish()
	if len(conversations) != 1 || len(findings) > 0 {
		t.Fatalf("%d conversations, %v", len(conversations), findings)
	}
	for _, f := range conversations[0].Findings {
		if tt.swallows && slices.Contains(withoutACK, f.Kind) {
			continue
		}
		t.Error(f)
	}
	recorded := conversations[0].Octets[1]
	if recorded != shown && !tt.swallows || recorded > shown {
		t.Errorf("%d octets recorded, %d shown, %d lost: %v", recorded, shown, lost, account.Lost)
	}
	t.Logf("given %d shown %d recorded %d lost %v", given, shown, recorded, account.Lost)
}

// TestPortAppears: a sink opened before its interface works once that is there,
// and again after the far end has gone with the pair.
func TestPortAppears(t *testing.T) {
	t.Parallel()
	for _, m := range []Method{SendMMsg, GSO, XDP, Auto} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			linktest.Enter(t)
			s := openSink(t, Config{Method: m})
			if n, err := s.Send(linktest.Frames(t, 1, 3, 10)); n != 0 || mirror.LossReason(err) != "no-link" {
				t.Errorf("Send while missing = %d, %v", n, err)
			}
			for range 2 {
				linktest.AddVeth(t)
				rec := linktest.NewRecorder(t)
				tempo.Until(t, "usable", func() bool { return s.Stats().Up })
				if n, err := s.Send(linktest.Frames(t, 1, 100, 1460)); n != 100 || err != nil {
					t.Errorf("Send = %d, %v", n, err)
				}
				rec.Frames(t, 100, 20*time.Millisecond)
				linktest.Must(t, netlink.LinkDel(linktest.Named(t, linktest.Far)))
				tempo.Until(t, "gone", func() bool { return !s.Stats().Up })
				if n, err := s.Send(linktest.Frames(t, 1, 3, 10)); n != 0 || mirror.LossReason(err) != "no-link" {
					t.Errorf("Send without a port = %d, %v", n, err)
				}
			}
		})
	}
}

// TestRecorderGone: nobody reads at the far end, which is no business of ours.
func TestRecorderGone(t *testing.T) {
	methods(t, func(t *testing.T, m Method) {
		s := openSink(t, Config{Method: m, Full: mirror.Block})
		c := mirror.Open(s, linktest.Flows[0].Flow, linktest.Options(linktest.Flows[0].Mark))
		for range 50 {
			c.Data(mirror.OriginToClient, make([]byte, 64<<10))
		}
		if a := c.Close(); a.Lost != nil {
			t.Errorf("lost %v", a.Lost)
		}
	})
}
