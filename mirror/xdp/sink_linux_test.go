package xdp

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
	"github.com/clearspan/clearspan/mirror/internal/link"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openSink opens a sink on the near end and closes it with the test.
func openSink(t testing.TB, cfg Config) *Sink {
	t.Helper()
	cfg.Interface = linktest.Near
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func setUp(t testing.TB) *linktest.Recorder {
	linktest.Enter(t)
	linktest.AddVeth(t)
	linktest.Quiet(t)
	return linktest.NewRecorder(t)
}

func TestFramesArriveIdentical(t *testing.T) {
	rec := setUp(t)
	s := openSink(t, Config{})
	var count, octets uint64
	for _, n := range []int{0, 1, 64, budget, budget + 1, 3 * ringSize} {
		sent := linktest.Frames(t, 7, n, 1000)
		if got, err := s.Send(sent); got != n || err != nil {
			t.Fatalf("Send = %d, %v; want %d, nil", got, err, n)
		}
		for i, got := range rec.Frames(t, n, 20*time.Millisecond) {
			if !bytes.Equal(got, append(bytes.Clone(sent[i].Header), sent[i].Payload...)) {
				t.Fatalf("frame %d of %d differs", i, n)
			}
			octets += uint64(len(got))
		}
		count += uint64(n)
	}
	tempo.Until(t, "device counts what was sent", func() bool { return s.Stats().DevicePackets == count })
	want := afpacket.Stats{Frames: count, Octets: octets, Lost: map[string]uint64{}, DevicePackets: count, Up: true, Link: "up"}
	got := s.Stats()
	got.Queued = 0 // the device may be late
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

func TestTooLong(t *testing.T) {
	rec := setUp(t)
	s := openSink(t, Config{})
	for _, long := range []mirror.Frame{linktest.Frame(t, 1, 0, 1465), linktest.Frame(t, 1, 0, 9000)} {
		frames := append(linktest.Frames(t, 1, 5, 1460), long, linktest.Frame(t, 1, 6, 10))
		if n, err := s.Send(frames); n != 5 || !errors.Is(err, mirror.ErrTooLong) {
			t.Errorf("Send = %d, %v; want 5, %v", n, err, mirror.ErrTooLong)
		}
	}
	super := linktest.Frame(t, 1, 0, 1000)
	super.Segment = 500
	if n, err := s.Send([]mirror.Frame{super}); n != 0 || !errors.Is(err, mirror.ErrTooLong) {
		t.Errorf("Send of a super-segment = %d, %v; want 0, %v", n, err, mirror.ErrTooLong)
	}
	rec.Frames(t, 10, 20*time.Millisecond)
	if got := s.Stats().Lost["too-long"]; got != 5 {
		t.Errorf("%d frames lost, want 5", got)
	}
}

func TestMTUFollows(t *testing.T) {
	rec := setUp(t)
	s := openSink(t, Config{})
	for _, mtu := range []int{2030, 2031, 4078, 9000, 1280} {
		linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Far), mtu))
		linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Near), mtu))
		want := min(mtu, MaxMTU)
		tempo.Until(t, "new MTU", func() bool { return s.MTU() == want && s.Stats().Up })
		n, err := s.Send([]mirror.Frame{linktest.Frame(t, 3, 0, want-40), {Header: make([]byte, want+19)}})
		if n != 1 || !errors.Is(err, mirror.ErrTooLong) {
			t.Errorf("MTU %d: Send = %d, %v; want 1, %v", mtu, n, err, mirror.ErrTooLong)
		}
		if got := rec.Frames(t, 1, 10*time.Millisecond); len(got[0]) != want+14 {
			t.Errorf("MTU %d: %d octets arrived, want %d", mtu, len(got[0]), want+14)
		}
	}
}

// TestDeviceDrops has the far end refuse frames that are too long for it, in
// every place of a batch: exactly those before it are delivered, and nothing
// that stood behind it comes later.
func TestDeviceDrops(t *testing.T) {
	rec := setUp(t)
	linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Far), 1000))
	s := openSink(t, Config{Full: mirror.Drop})
	lost := uint64(0)
	for round := range 30 { // several times around the ring
		for _, at := range []int{0, 1, 63, 200, 254, 255, 256, 299} {
			frames := linktest.Frames(t, uint16(round), 300, 10)
			frames[at] = linktest.Frame(t, 1, 0, 1200)
			n, err := s.Send(frames)
			if n != at || !errors.Is(err, mirror.ErrFull) {
				t.Fatalf("Send = %d, %v; want %d, %v", n, err, at, mirror.ErrFull)
			}
			rec.Frames(t, at, time.Millisecond)
			lost += uint64(300 - at)
		}
	}
	if got := s.Stats().Lost["queue-full"]; got != lost {
		t.Errorf("%d frames lost, want %d", got, lost)
	}
	s.socket.reap()
	if free := len(s.socket.memory.free); free != ringSize {
		t.Errorf("%d chunks free, want %d", free, ringSize)
	}
}

func TestBlockedSendEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*testing.T, *Sink)
		want error
	}{
		{"at Close", func(_ *testing.T, s *Sink) { s.Close() }, mirror.ErrClosed},
		{"when the link goes down", func(t *testing.T, _ *Sink) {
			linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Near)))
		}, mirror.ErrNoLink},
		{"when patience ends", func(*testing.T, *Sink) {}, mirror.ErrFull},
		{"when the device takes it", func(t *testing.T, _ *Sink) {
			linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Far), 1500))
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := setUp(t)
			linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Far), 1000))
			s := openSink(t, Config{Full: mirror.Block})
			if tt.want != mirror.ErrClosed && tt.want != nil {
				s.patience = 200 * time.Millisecond
			}
			frames := linktest.Frames(t, 1, 10, 10)
			frames[4] = linktest.Frame(t, 1, 4, 1200)
			type result struct {
				n   int
				err error
			}
			results := make(chan result)
			go func() {
				n, err := s.Send(frames)
				results <- result{n, err}
			}()
			select {
			case r := <-results:
				t.Fatalf("Send did not wait: %+v", r)
			case <-time.After(50 * time.Millisecond):
			}
			tt.end(t, s)
			r := <-results
			want := 4
			if tt.want == nil {
				want = 10
			}
			if r.n != want || !errors.Is(r.err, tt.want) {
				t.Errorf("Send = %d, %v; want %d, %v", r.n, r.err, want, tt.want)
			}
			for i, octets := range rec.Some(t, 20*time.Millisecond) {
				if _, seq := linktest.PortAndSeq(octets); seq != uint32(i) {
					t.Errorf("frame %d arrived as number %d", seq, i)
				}
			}
		})
	}
}

// TestDownBeforeWatcher: the kernel's own refusal counts as no link, and no call
// loops for ever.
func TestDownBeforeWatcher(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T)
		want   []error
	}{
		{"down", func(t *testing.T) {
			linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Near)))
		}, []error{mirror.ErrNoLink}},
		{"carrier", func(t *testing.T) {
			linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Far)))
		}, []error{mirror.ErrFull, mirror.ErrNoLink}},
		{"deleted", func(t *testing.T) {
			linktest.Must(t, netlink.LinkDel(linktest.Named(t, linktest.Near)))
		}, []error{mirror.ErrNoLink}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := setUp(t)
			s := openSink(t, Config{Full: mirror.Drop})
			s.watch.Close() // what it saw stays
			tt.change(t)
			for range 50 { // more than the ring holds
				n, err := s.Send(linktest.Frames(t, 1, 64, 100))
				if n != 0 || !errors.Is(err, tt.want[0]) && !errors.Is(err, tt.want[len(tt.want)-1]) {
					t.Fatalf("Send = %d, %v; want 0, %v", n, err, tt.want)
				}
			}
			if tt.name != "deleted" {
				rec.Some(t, time.Millisecond)
			}
		})
	}
}

// TestQueueIsTaken: a second sink is refused, one that follows at once is not.
func TestQueueIsTaken(t *testing.T) {
	setUp(t)
	s := openSink(t, Config{})
	if other, err := Open(Config{Interface: linktest.Near}); !errors.Is(err, unix.EBUSY) {
		if err == nil {
			other.Close()
		}
		t.Errorf("second sink: %v, want %v", err, unix.EBUSY)
	}
	for range 5 {
		s.Close()
		s = openSink(t, Config{})
		if n, err := s.Send(linktest.Frames(t, 1, 3, 10)); n != 3 || err != nil {
			t.Errorf("Send = %d, %v", n, err)
		}
	}
}

func TestConcurrentSenders(t *testing.T) {
	rec := setUp(t)
	s := openSink(t, Config{Full: mirror.Block})
	const senders, calls, perCall = 8, 10, 20
	var wg sync.WaitGroup
	for sender := range uint16(senders) {
		all := linktest.Frames(t, sender, calls*perCall, 100)
		wg.Go(func() {
			for call := range calls {
				if n, err := s.Send(all[call*perCall:][:perCall]); n != perCall || err != nil {
					t.Errorf("Send = %d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	next := make(map[uint16]uint32)
	for _, octets := range rec.Frames(t, senders*calls*perCall, 20*time.Millisecond) {
		sender, seq := linktest.PortAndSeq(octets)
		if seq != next[sender] {
			t.Fatalf("sender %d: frame %d arrived, want %d", sender, seq, next[sender])
		}
		next[sender]++
	}
}

// TestOtherNamespace binds again from the watcher's thread, which is in another
// namespace than the test.
func TestOtherNamespace(t *testing.T) {
	linktest.Enter(t)
	s := openSink(t, Config{})
	linktest.AddVeth(t)
	rec := linktest.NewRecorder(t)
	tempo.Until(t, "usable", func() bool { return s.Stats().Up })
	if n, err := s.Send(linktest.Frames(t, 1, 3, 10)); n != 3 || err != nil {
		t.Errorf("Send = %d, %v", n, err)
	}
	rec.Frames(t, 3, 20*time.Millisecond)
	linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Near)))
	tempo.Until(t, "down", func() bool { return s.watch.Link().State == link.Down })
}

func TestSendAllocatesNothing(t *testing.T) {
	setUp(t)
	s := openSink(t, Config{Full: mirror.Block})
	batch := linktest.Frames(t, 1, 64, 1460)
	if allocs := testing.AllocsPerRun(2000, func() {
		if _, err := s.Send(batch); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations per Send", allocs)
	}
	s.Close()
	if allocs := testing.AllocsPerRun(2000, func() { s.Send(batch) }); allocs != 0 {
		t.Errorf("%v allocations per refused Send", allocs)
	}
}
