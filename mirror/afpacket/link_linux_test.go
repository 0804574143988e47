package afpacket

import (
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/link"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
)

// sendOne sends a frame and returns the error.
func sendOne(t *testing.T, s *Sink) error {
	t.Helper()
	f := []mirror.Frame{linktest.Frame(t, 9, 0, 10)}
	n, err := s.Send(f)
	if (n == 1) != (err == nil) {
		t.Fatalf("Send = %d, %v", n, err)
	}
	return err
}

func wantState(t *testing.T, s *Sink, want link.State) {
	t.Helper()
	tempo.Until(t, "state "+string(want), func() bool { return s.watch.Link().State == want })
	err := sendOne(t, s)
	if want == link.Up && err != nil || want != link.Up && !errors.Is(err, mirror.ErrNoLink) {
		t.Errorf("Send while %s: %v", want, err)
	}
	if s.Stats().Up != (want == link.Up) {
		t.Errorf("Stats.Up while %s: %t", want, s.Stats().Up)
	}
}

func TestLinkStates(t *testing.T) { eachMethod(t, linkStates) }

func linkStates(t *testing.T, gso bool) {
	linktest.Enter(t)
	lines := new(linktest.LogLines)
	s := openSink(t, Config{Logger: lines.Logger(), GSO: gso})
	wantState(t, s, link.Missing)
	if s.MTU() != 1500 {
		t.Errorf("MTU while missing = %d, want 1500", s.MTU())
	}

	linktest.AddVeth(t)
	wantState(t, s, link.Up)
	first := s.watch.Link().Index

	linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Near)))
	wantState(t, s, link.Down)
	linktest.Must(t, netlink.LinkSetUp(linktest.Named(t, linktest.Near)))
	wantState(t, s, link.Up)

	linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Far)))
	wantState(t, s, link.NoCarrier)
	linktest.Must(t, netlink.LinkSetUp(linktest.Named(t, linktest.Far)))
	wantState(t, s, link.Up)

	linktest.Must(t, netlink.LinkDel(linktest.Named(t, linktest.Near)))
	wantState(t, s, link.Missing)
	for range 20 { // states are logged when they change, not per frame
		sendOne(t, s)
	}

	tun := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: linktest.Near}, Mode: netlink.TUNTAP_MODE_TUN}
	linktest.Must(t, netlink.LinkAdd(tun))
	wantState(t, s, link.NotEthernet)
	linktest.Must(t, netlink.LinkDel(tun))
	wantState(t, s, link.Missing)

	linktest.AddVeth(t)
	wantState(t, s, link.Up)
	if again := s.watch.Link().Index; again == first {
		t.Errorf("the new interface has the old one's index %d", again)
	}
	rec := linktest.NewRecorder(t)
	linktest.Must(t, sendOne(t, s))
	rec.Frames(t, 1, 20*time.Millisecond)

	for state, want := range map[link.State]int{link.Missing: 3, link.Down: 1, link.NoCarrier: 1, link.NotEthernet: 1} {
		// An interface passes through "down" and "no carrier" while it is made.
		line := `"mirror interface not usable" iface=mirror0 state=` + quoted(state)
		got := lines.Count(line)
		if got < want || (state == link.Missing || state == link.NotEthernet) && got != want {
			t.Errorf("%q logged %d times, want %d", line, got, want)
		}
	}
	if st := s.Stats(); st.Lost["no-link"] != 20+6 {
		t.Errorf("Lost[no-link] = %d, want 26", st.Lost["no-link"])
	}
}

// TestDownBeforeWatcher: the kernel's own refusal counts as no link too.
func TestDownBeforeWatcher(t *testing.T) { eachMethod(t, downBeforeWatcher) }

func downBeforeWatcher(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	s := openSink(t, Config{GSO: gso})
	s.watch.Close() // what it saw stays
	linktest.Must(t, netlink.LinkSetDown(linktest.Named(t, linktest.Near)))
	if err := sendOne(t, s); !errors.Is(err, mirror.ErrNoLink) {
		t.Errorf("Send on a downed interface: %v, want %v", err, mirror.ErrNoLink)
	}
	linktest.Must(t, netlink.LinkDel(linktest.Named(t, linktest.Near)))
	if err := sendOne(t, s); !errors.Is(err, mirror.ErrNoLink) {
		t.Errorf("Send on a deleted interface: %v, want %v", err, mirror.ErrNoLink)
	}
}

func TestMTUFollows(t *testing.T) { eachMethod(t, mTUFollows) }

func mTUFollows(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{GSO: gso})
	for _, mtu := range []int{9000, 1280, 65535} {
		linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Far), mtu))
		linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Near), mtu))
		tempo.Until(t, "new MTU", func() bool { return s.MTU() == mtu })
		n, err := s.Send([]mirror.Frame{linktest.Frame(t, 3, 0, mtu-40), {Header: make([]byte, mtu+19)}})
		if n != 1 || !errors.Is(err, mirror.ErrTooLong) {
			t.Errorf("MTU %d: Send = %d, %v; want 1, %v", mtu, n, err, mirror.ErrTooLong)
		}
		if got := rec.Frames(t, 1, 10*time.Millisecond); len(got[0]) != mtu+14 {
			t.Errorf("MTU %d: %d octets arrived, want %d", mtu, len(got[0]), mtu+14)
		}
	}
}

// TestDeviceDropped: a far end with a smaller MTU refuses frames, which the
// near end counts.
func TestDeviceDropped(t *testing.T) { eachMethod(t, deviceDropped) }

func deviceDropped(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	linktest.Must(t, netlink.LinkSetMTU(linktest.Named(t, linktest.Far), 1280))
	s := openSink(t, Config{GSO: gso})
	for _, f := range linktest.Frames(t, 1, 7, 1460) {
		// Whether Send is told depends on the kernel.
		if n, err := s.Send([]mirror.Frame{f}); n == 0 && !errors.Is(err, mirror.ErrFull) {
			t.Fatalf("Send: %v, want nil or %v", err, mirror.ErrFull)
		}
	}
	tempo.Until(t, "7 frames dropped", func() bool { return s.Stats().DeviceDropped == 7 })
}

func quoted(s link.State) string {
	if s == link.NoCarrier || s == link.NotEthernet {
		return `"` + string(s) + `"`
	}
	return string(s)
}
