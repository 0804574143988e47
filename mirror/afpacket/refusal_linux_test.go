package afpacket

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/link"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// superSegment returns one of n segments from a conversation, and what it
// becomes.
func superSegment(t *testing.T, n int) (mirror.Frame, [][]byte) {
	t.Helper()
	r := &mirrortest.Recorder{}
	r.SetSegmentLimit(maxSuper)
	var f mirror.Frame
	r.Fail = func(frames []mirror.Frame) (int, error) {
		last := frames[len(frames)-1]
		f = mirror.Frame{Header: bytes.Clone(last.Header), Payload: bytes.Clone(last.Payload), Segment: last.Segment}
		return len(frames), nil
	}
	c := mirror.Open(r, linktest.Flows[0].Flow, linktest.Options(mirror.Mark{}))
	c.Data(mirror.OriginToClient, make([]byte, n*1448-100))
	if f.Segments() != n {
		t.Fatalf("%d segments, want %d", f.Segments(), n)
	}
	return f, mirrortest.Cut(&f)
}

// TestPartlyRefused puts the first segments of a super-segment on the wire, as
// a device does that drops the others, and has the sink find out.
func TestPartlyRefused(t *testing.T) {
	for _, taken := range []int{0, 1, 29, 40} {
		linktest.Enter(t)
		linktest.AddVeth(t)
		linktest.Quiet(t)
		rec := linktest.NewRecorder(t)
		s := openSink(t, Config{GSO: true})
		other := openSink(t, Config{Full: mirror.Block})
		f, want := superSegment(t, 41)
		for _, octets := range want[:taken] {
			if _, err := other.Send([]mirror.Frame{{Header: octets[:66], Payload: octets[66:]}}); err != nil {
				t.Fatal(err)
			}
		}
		// Two more that this sink did send must not count.
		if _, err := s.Send(linktest.Frames(t, 1, 2, 100)); err != nil {
			t.Fatal(err)
		}
		b := newBatch(true)
		s.mu.RLock()
		got := s.refused(b, 0, &f)
		s.mu.RUnlock()
		if got != (taken > 0) || f.Segments() != 41-taken {
			t.Errorf("%d taken: reported %t, %d segments remain", taken, got, f.Segments())
		}
		if n, err := s.Send([]mirror.Frame{f}); n != 1 || err != nil {
			t.Fatalf("Send of the rest = %d, %v", n, err)
		}
		arrived := rec.Frames(t, 43, 20*time.Millisecond)
		arrived = append(arrived[:taken:taken], arrived[taken+2:]...)
		for i := range want {
			if !bytes.Equal(arrived[i], want[i]) {
				t.Errorf("%d taken: segment %d differs", taken, i+1)
			}
		}
		if st := s.Stats(); st.Frames != 43 {
			t.Errorf("%d taken: %d frames counted, want 43", taken, st.Frames)
		}
	}
}

// fakeDevice counts as it is told to.
type fakeDevice struct{ reads []link.Counters }

func (d *fakeDevice) Read() (link.Counters, error) {
	if len(d.reads) == 0 {
		return link.Counters{}, errors.New("gone")
	}
	c := d.reads[0]
	if len(d.reads) > 1 {
		d.reads = d.reads[1:]
	}
	return c, nil
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name     string
		claimed  uint64
		refusals []int
		reads    []link.Counters
		want     int // taken of all refusals together
	}{
		{"nothing went out", 5, []int{40}, []link.Counters{{Packets: 5, Dropped: 40}}, 0},
		{"some went out", 5, []int{40}, []link.Counters{{Packets: 15, Dropped: 30}}, 10},
		{"the device counts late", 5, []int{40}, []link.Counters{{Packets: 5}, {Packets: 5}, {Packets: 15, Dropped: 30}}, 10},
		{"two at once", 0, []int{40, 40}, []link.Counters{{Packets: 45, Dropped: 35}}, 45},
		{"others sent too", 0, []int{40}, []link.Counters{{Packets: 400}}, 39},
		{"counter went back", 50, []int{40}, []link.Counters{{Packets: 1}}, 0},
		{"no device", 5, []int{40}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var tl refusals
			tl.claimed.Store(tt.claimed)
			refusals := make([]refusal, len(tt.refusals))
			for i, n := range tt.refusals {
				tl.add(&refusals[i], n)
			}
			tl.resolve(&fakeDevice{tt.reads})
			taken := 0
			for i := range refusals {
				if !refusals[i].resolved || refusals[i].taken >= refusals[i].segments {
					t.Errorf("refusal %d: %+v", i, refusals[i])
				}
				taken += refusals[i].taken
			}
			if taken != tt.want {
				t.Errorf("%d taken, want %d", taken, tt.want)
			}
		})
	}
}

// TestSilentDrops: the far end has a smaller MTU, and takes the short end of a
// super-segment only. Nobody is told, but the counters show it, and from then on
// each segment is sent, and lost, by itself.
func TestSilentDrops(t *testing.T) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	linktest.Quiet(t)
	linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Far), 1400))
	lines := new(linktest.LogLines)
	s := openSink(t, Config{GSO: true, Logger: lines.Logger()})
	f, _ := superSegment(t, 41)
	if n, err := s.Send([]mirror.Frame{f}); n != 1 || err != nil {
		t.Fatalf("Send = %d, %v", n, err)
	}
	tempo.Until(t, "super-segments are given up", func() bool { return s.SegmentLimit() == 0 })
	c := mirror.Open(s, linktest.Flows[0].Flow, linktest.Options(mirror.Mark{}))
	c.Data(mirror.OriginToClient, make([]byte, 60_000))
	if a := c.Close(); a.Lost["queue-full"][mirror.OriginToClient] != 60_000 {
		t.Errorf("account %+v, want 60000 octets lost", a)
	}
	linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Far), 1500))
	linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Near)))
	tempo.Until(t, "down", func() bool { return s.watch.Link().State == link.Down })
	linktest.Must(t, netlink.LinkSetUp(linktest.Named(t, linktest.Near)))
	tempo.Until(t, "super-segments are tried again", func() bool { return s.SegmentLimit() == maxSuper && s.Stats().Up })
	if n := lines.Count("silently"); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
}
