package afpacket

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/link"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
)

func TestChecksumOffloadIsPutBack(t *testing.T) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	offloads, err := link.OpenOffloads()
	linktest.Must(t, err)
	defer offloads.Close()
	check := func(when string, want bool) {
		t.Helper()
		tempo.Until(t, fmt.Sprintf("offload %s is %t", when, want), func() bool {
			on, err := offloads.TXChecksum(linktest.Near)
			return err == nil && on == want
		})
	}
	for _, before := range []bool{true, false} {
		linktest.Must(t, offloads.SetTXChecksum(linktest.Near, before))
		s := openSink(t, Config{GSO: true})
		check("while open", false)
		linktest.Must(t, offloads.SetTXChecksum(linktest.Near, true)) // somebody else does
		check("when noticed", false)
		linktest.Must(t, netlink.LinkDel(linktest.Named(t, linktest.Near)))
		tempo.Until(t, "missing", func() bool { return s.SegmentLimit() == 0 })
		linktest.AddVeth(t)
		check("of the new interface", false)
		tempo.Until(t, "usable", func() bool { return s.SegmentLimit() == maxSuper })
		s.Close()
		check("after Close", true)

		linktest.Must(t, offloads.SetTXChecksum(linktest.Near, before))
		s = openSink(t, Config{GSO: true})
		s.Close()
		check("after Close", before)
	}
}

func TestOpenRefusesUnfinishedChecksums(t *testing.T) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	linktest.Without(t, unix.CAP_NET_ADMIN)
	s, err := Open(Config{Interface: linktest.Near, GSO: true})
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, unix.EPERM) {
		t.Errorf("Open without CAP_NET_ADMIN: %v, want %v", err, unix.EPERM)
	}
}

// TestSuperSegmentTooLong: neither a segment above the MTU nor a super-segment
// for a sink that takes none goes out.
func TestSuperSegmentTooLong(t *testing.T) { eachMethod(t, superSegmentTooLong) }

func superSegmentTooLong(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{GSO: gso})
	f := linktest.Frame(t, 1, 0, 20_000)
	f.Segment = 1500
	if gso {
		f.Segment = 1465
	}
	n, err := s.Send([]mirror.Frame{linktest.Frame(t, 1, 0, 100), f})
	if n != 1 || !errors.Is(err, mirror.ErrTooLong) {
		t.Errorf("Send = %d, %v; want 1, %v", n, err, mirror.ErrTooLong)
	}
	rec.Frames(t, 1, 20*time.Millisecond)
	if lost := s.Stats().Lost["too-long"]; lost != 14 {
		t.Errorf("%d frames lost, want 14", lost)
	}
}

// TestKernelKnowsNoSuperSegments: after one that the kernel calls invalid, there
// are no more.
func TestKernelKnowsNoSuperSegments(t *testing.T) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	s := openSink(t, Config{GSO: true})
	f := linktest.Frame(t, 1, 0, 1000)
	f.Segment = 1 << 16 // 0 in the header for the kernel
	if n, err := s.Send([]mirror.Frame{f}); n != 0 || mirror.LossReason(err) != "other" {
		t.Fatalf("Send = %d, %v; want 0 and another error", n, err)
	}
	time.Sleep(300 * time.Millisecond) // a poll of the watcher
	if limit := s.SegmentLimit(); limit != 0 {
		t.Errorf("SegmentLimit = %d, want 0", limit)
	}
}

// TestSuperSegmentsAllocateNothing is the budget of the hot path.
func TestSuperSegmentsAllocateNothing(t *testing.T) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	s := openSink(t, Config{Full: mirror.Block, GSO: true})
	c := mirror.Open(s, linktest.Flows[0].Flow, linktest.Options(mirror.Mark{}))
	p := make([]byte, 64<<10)
	c.Data(mirror.OriginToClient, p)
	if allocs := testing.AllocsPerRun(2000, func() { c.Data(mirror.OriginToClient, p) }); allocs >= 1 {
		t.Errorf("%v allocations per Data of 64 KiB", allocs)
	}
}
