package afpacket

import (
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/link"
)

// sendOne sends a frame and returns the error.
func sendOne(t *testing.T, s *Sink) error {
	t.Helper()
	f := []mirror.Frame{frame(t, 9, 0, 10)}
	n, err := s.Send(f)
	if (n == 1) != (err == nil) {
		t.Fatalf("Send = %d, %v", n, err)
	}
	return err
}

func wantState(t *testing.T, s *Sink, want link.State) {
	t.Helper()
	eventually(t, "state "+string(want), func() bool { return s.watch.Link().State == want })
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
	enterNamespace(t)
	lines := new(logLines)
	s := openSink(t, Config{Logger: lines.logger(), GSO: gso})
	wantState(t, s, link.Missing)
	if s.MTU() != 1500 {
		t.Errorf("MTU while missing = %d, want 1500", s.MTU())
	}

	addVeth(t)
	wantState(t, s, link.Up)
	first := s.watch.Link().Index

	must(t, netlink.LinkSetDown(linkNamed(t, nearEnd)))
	wantState(t, s, link.Down)
	must(t, netlink.LinkSetUp(linkNamed(t, nearEnd)))
	wantState(t, s, link.Up)

	must(t, netlink.LinkSetDown(linkNamed(t, farEnd)))
	wantState(t, s, link.NoCarrier)
	must(t, netlink.LinkSetUp(linkNamed(t, farEnd)))
	wantState(t, s, link.Up)

	must(t, netlink.LinkDel(linkNamed(t, nearEnd)))
	wantState(t, s, link.Missing)
	for range 20 { // states are logged when they change, not per frame
		sendOne(t, s)
	}

	tun := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: nearEnd}, Mode: netlink.TUNTAP_MODE_TUN}
	must(t, netlink.LinkAdd(tun))
	wantState(t, s, link.NotEthernet)
	must(t, netlink.LinkDel(tun))
	wantState(t, s, link.Missing)

	addVeth(t)
	wantState(t, s, link.Up)
	if again := s.watch.Link().Index; again == first {
		t.Errorf("the new interface has the old one's index %d", again)
	}
	rec := newRecorder(t)
	must(t, sendOne(t, s))
	rec.frames(t, 1, 20*time.Millisecond)

	for state, want := range map[link.State]int{link.Missing: 3, link.Down: 1, link.NoCarrier: 1, link.NotEthernet: 1} {
		// An interface passes through "down" and "no carrier" while it is made.
		line := `"mirror interface not usable" iface=mirror0 state=` + quoted(state)
		got := lines.count(line)
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
	enterNamespace(t)
	addVeth(t)
	s := openSink(t, Config{GSO: gso})
	s.watch.Close() // what it saw stays
	must(t, netlink.LinkSetDown(linkNamed(t, nearEnd)))
	if err := sendOne(t, s); !errors.Is(err, mirror.ErrNoLink) {
		t.Errorf("Send on a downed interface: %v, want %v", err, mirror.ErrNoLink)
	}
	must(t, netlink.LinkDel(linkNamed(t, nearEnd)))
	if err := sendOne(t, s); !errors.Is(err, mirror.ErrNoLink) {
		t.Errorf("Send on a deleted interface: %v, want %v", err, mirror.ErrNoLink)
	}
}

func TestMTUFollows(t *testing.T) { eachMethod(t, mTUFollows) }

func mTUFollows(t *testing.T, gso bool) {
	enterNamespace(t)
	addVeth(t)
	rec := newRecorder(t)
	s := openSink(t, Config{GSO: gso})
	for _, mtu := range []int{9000, 1280, 65535} {
		must(t, netlink.LinkSetMTU(linkNamed(t, farEnd), mtu))
		must(t, netlink.LinkSetMTU(linkNamed(t, nearEnd), mtu))
		eventually(t, "new MTU", func() bool { return s.MTU() == mtu })
		n, err := s.Send([]mirror.Frame{frame(t, 3, 0, mtu-40), {Header: make([]byte, mtu+19)}})
		if n != 1 || !errors.Is(err, mirror.ErrTooLong) {
			t.Errorf("MTU %d: Send = %d, %v; want 1, %v", mtu, n, err, mirror.ErrTooLong)
		}
		if got := rec.frames(t, 1, 10*time.Millisecond); len(got[0]) != mtu+14 {
			t.Errorf("MTU %d: %d octets arrived, want %d", mtu, len(got[0]), mtu+14)
		}
	}
}

// TestDeviceDropped: a far end with a smaller MTU refuses frames, which the
// near end counts.
func TestDeviceDropped(t *testing.T) { eachMethod(t, deviceDropped) }

func deviceDropped(t *testing.T, gso bool) {
	enterNamespace(t)
	addVeth(t)
	must(t, netlink.LinkSetMTU(linkNamed(t, farEnd), 1280))
	s := openSink(t, Config{GSO: gso})
	for _, f := range frames(t, 1, 7, 1460) {
		// Whether Send is told depends on the kernel.
		if n, err := s.Send([]mirror.Frame{f}); n == 0 && !errors.Is(err, mirror.ErrFull) {
			t.Fatalf("Send: %v, want nil or %v", err, mirror.ErrFull)
		}
	}
	eventually(t, "7 frames dropped", func() bool { return s.Stats().DeviceDropped == 7 })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func quoted(s link.State) string {
	if s == link.NoCarrier || s == link.NotEthernet {
		return `"` + string(s) + `"`
	}
	return string(s)
}
