package capture

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is two namespaces with a cable between near0 and far0.
func pair(t *testing.T) (near, far *netlab.Namespace) {
	t.Helper()
	l := netlab.ForTest(t)
	var err error
	if near, err = l.Namespace("near"); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Namespace("far"); err != nil {
		t.Fatal(err)
	}
	if err := l.Link(netlab.End{Namespace: near, Name: "near0", Silent: true}, netlab.End{Namespace: far, Name: "far0", Silent: true}, netlab.LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// twice is a sink that sends to a port and keeps a copy.
type twice struct {
	*afpacket.Sink
	copy mirrortest.Recorder
}

func (s *twice) Send(frames []mirror.Frame) (int, error) {
	n, err := s.Sink.Send(frames)
	if n > 0 {
		s.copy.Send(frames[:n])
	}
	return n, err
}

// TestFramesArriveAsSent reads at both ends of a cable what the sink sends at one,
// tags included.
func TestFramesArriveAsSent(t *testing.T) {
	near, far := pair(t)
	sink := &twice{}
	ends := make([]*Source, 2)
	for i, end := range []struct {
		ns   *netlab.Namespace
		name string
	}{{near, "near0"}, {far, "far0"}} {
		err := end.ns.Do(func() (err error) {
			if ends[i], err = Open(end.name); err == nil && i == 0 {
				sink.Sink, err = afpacket.Open(afpacket.Config{Interface: end.name})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer ends[i].Close()
	}
	defer sink.Sink.Close()

	flow := mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:80")}
	for _, tag := range []uint16{0, 7} {
		c := mirror.Open(sink, flow, mirror.Options{Mark: mirror.Mark{VLAN: tag}})
		c.Data(mirror.OriginToClient, make([]byte, 200_000))
		if account := c.Close(); account.FramesLost != 0 {
			t.Fatalf("%d frames lost", account.FramesLost)
		}
	}
	want := sink.copy.Frames()
	for i, source := range ends {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		n, last := 0, time.Time{}
		err := source.Run(ctx, func(frame []byte, wire int, at time.Time) {
			if n < len(want) && (!bytes.Equal(frame, want[n]) || wire != len(frame)) {
				t.Errorf("end %d, frame %d: %d octets of %d, want %d", i, n, len(frame), wire, len(want[n]))
				cancel()
			}
			if at.Before(last) || time.Since(at) > time.Minute {
				t.Errorf("end %d, frame %d: captured at %v", i, n, at)
			}
			last = at
			if n++; n == len(want) {
				cancel()
			}
		})
		cancel()
		if err != nil || n != len(want) {
			t.Errorf("end %d: %d frames of %d, %v", i, n, len(want), err)
		}
		if n, err := source.Dropped(); n != 0 || err != nil {
			t.Errorf("end %d: %d dropped, %v", i, n, err)
		}
	}
}

// TestDroppedIsCounted sends more than the ring holds before anyone reads.
func TestDroppedIsCounted(t *testing.T) {
	near, _ := pair(t)
	var source *Source
	var sink *afpacket.Sink
	err := near.Do(func() (err error) {
		if source, err = Open("near0"); err == nil {
			sink, err = afpacket.Open(afpacket.Config{Interface: "near0"})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	defer sink.Close()
	frames := make([]mirror.Frame, 64)
	for i := range frames {
		frames[i] = mirror.Frame{Header: make([]byte, 54), Payload: make([]byte, 1400)}
	}
	for range DefaultRing / 1400 / len(frames) * 5 / 4 {
		if _, err := sink.Send(frames); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := source.Dropped(); n == 0 || err != nil {
		t.Errorf("%d dropped, %v", n, err)
	}
}

// TestLoopback: a frame that comes back is there once.
func TestLoopback(t *testing.T) {
	near, _ := pair(t)
	var source *Source
	err := near.Do(func() (err error) {
		if source, err = Open("lo"); err != nil {
			return err
		}
		conn, err := net.Dial("udp", "127.0.0.1:9")
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("once"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	n := 0
	if err := source.Run(ctx, func(frame []byte, _ int, _ time.Time) {
		if bytes.HasSuffix(frame, []byte("once")) && frame[23] == 17 { // UDP, not ICMP about it
			n++
		}
	}); err != nil || n != 1 {
		t.Errorf("%d frames, %v", n, err)
	}
}

func TestOpenFails(t *testing.T) {
	if _, err := Open("none0"); err == nil {
		t.Error("opened an interface that is not there")
	}
}

func TestRunEndsWithAnInterfaceGone(t *testing.T) {
	near, _ := pair(t)
	var source *Source
	if err := near.Do(func() (err error) { source, err = Open("near0"); return err }); err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if err := near.SetUp("near0", false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := source.Run(ctx, func([]byte, int, time.Time) {}); err == nil {
		t.Error("no error: " + unix.ENETDOWN.Error() + " was due")
	}
}
