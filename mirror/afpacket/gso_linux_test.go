package afpacket

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/link"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// flows are the shapes of conversations that every method must carry. The
// source MAC is the one that the recorder listens to.
var flows = []struct {
	name string
	flow mirror.Flow
	mark mirror.Mark
}{
	{"IPv4", mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:80")}, mirror.Mark{}},
	{"IPv6", mirror.Flow{Client: netip.MustParseAddrPort("[2001:db8::1]:50001"), Origin: netip.MustParseAddrPort("[2001:db8:1::2]:80")}, mirror.Mark{}},
	{"IPv4 VLAN", mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50002"), Origin: netip.MustParseAddrPort("198.51.100.2:80")}, mirror.Mark{VLAN: 7}},
	{"IPv6 VLAN", mirror.Flow{Client: netip.MustParseAddrPort("[2001:db8::1]:50003"), Origin: netip.MustParseAddrPort("[2001:db8:1::2]:80")}, mirror.Mark{VLAN: 4094}},
}

// options makes renderings of the same session comparable.
func options(mark mirror.Mark) mirror.Options {
	mark.SourceMAC = [6]byte(linktest.SourceMAC)
	return mirror.Options{
		Mark: mark,
		ISN:  func() uint32 { return 1<<32 - 100_000 }, // wraps on the way
		Now:  func() time.Time { return time.UnixMilli(1 << 40) },
	}
}

// session shows a request and an answer of n octets, and returns what was sent.
func session(c *mirror.Conversation, n int) (sent [2][]byte) {
	request := []byte("GET /object HTTP/1.1\r\nHost: origin.test\r\n\r\n")
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", n)
	for i := range n {
		answer = append(answer, byte(i*7>>3))
	}
	sent = [2][]byte{request, answer}
	c.Data(mirror.ClientToOrigin, request)
	for chunk := 1; len(answer) > 0; chunk = min(2*chunk+1, 64<<10) {
		chunk = min(chunk, len(answer))
		c.Data(mirror.OriginToClient, answer[:chunk])
		answer = answer[chunk:]
	}
	return sent
}

// TestConversationArrives sends conversations by each method; what arrives is,
// octet for octet, what a sink that keeps frames is given, and readers find
// nothing wrong.
func TestConversationArrives(t *testing.T) { eachMethod(t, conversationArrives) }

func conversationArrives(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	linktest.Quiet(t)
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{Full: Block, GSO: gso})
	if limit := s.SegmentLimit(); (limit == maxSuper) != gso {
		t.Fatalf("SegmentLimit = %d with GSO %t", limit, gso)
	}
	var all, arrived [][]byte
	sent := make(map[netip.AddrPort][2][]byte)
	for _, tt := range flows {
		keep := &mirrortest.Recorder{}
		c := mirror.Open(keep, tt.flow, options(tt.mark))
		session(c, 700_000)
		c.Close()
		want := keep.Frames()

		c = mirror.Open(s, tt.flow, options(tt.mark))
		sent[tt.flow.Client] = session(c, 700_000)
		account := c.Close()
		if account.Lost != nil || account.Frames != uint64(len(want)) {
			t.Errorf("%s: account %+v, want %d frames and no loss", tt.name, account, len(want))
		}
		got := rec.Frames(t, len(want), 20*time.Millisecond)
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("%s: frame %d of %d octets arrived as %d:\n%x\n%x", tt.name, i+1, len(want[i]), len(got[i]), want[i][:66], got[i][:66])
			}
		}
		all, arrived = append(all, want...), append(arrived, got...)
	}
	st := s.Stats()
	linktest.Eventually(t, "device counts what was sent", func() bool {
		st = s.Stats()
		return st.DevicePackets == uint64(len(all))
	})
	octets := 0
	for _, f := range all {
		octets += len(f)
	}
	if st.Frames != uint64(len(all)) || st.Octets != uint64(octets) || st.DeviceDropped != 0 {
		t.Errorf("Stats = %+v, want %d frames, %d octets", st, len(all), octets)
	}
	read(t, arrived, sent)
}

// read has tshark and tcpflow read frames.
func read(t *testing.T, frames [][]byte, sent map[netip.AddrPort][2][]byte) {
	t.Helper()
	path := mirrortest.WritePcap(t, frames)
	for _, line := range mirrortest.TsharkComplaints(t, path) {
		t.Error("tshark: ", line)
	}
	dir := t.TempDir()
	mirrortest.Tool(t, dir, "tcpflow", "-r", path, "-o", dir, "-X", "/dev/null")
	files, _ := filepath.Glob(filepath.Join(dir, "*-*"))
	if len(files) != 2*len(sent) {
		t.Errorf("tcpflow wrote %d streams, want %d: %q", len(files), 2*len(sent), files)
	}
	for client, streams := range sent {
		for dir, stream := range streams {
			found := false
			for _, name := range files {
				got, err := os.ReadFile(name)
				found = found || err == nil && bytes.Equal(got, stream)
			}
			if !found {
				t.Errorf("tcpflow rebuilt no stream like the %d octets of %s, direction %d", len(stream), client, dir)
			}
		}
	}
}

func TestChecksumOffloadIsPutBack(t *testing.T) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	offloads, err := link.OpenOffloads()
	linktest.Must(t, err)
	defer offloads.Close()
	check := func(when string, want bool) {
		t.Helper()
		linktest.Eventually(t, fmt.Sprintf("offload %s is %t", when, want), func() bool {
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
		linktest.Eventually(t, "missing", func() bool { return s.SegmentLimit() == 0 })
		linktest.AddVeth(t)
		check("of the new interface", false)
		linktest.Eventually(t, "usable", func() bool { return s.SegmentLimit() == maxSuper })
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
	// Without CAP_NET_ADMIN the offload cannot be switched.
	dropped := make(chan error)
	without(t, unix.CAP_NET_ADMIN, func() {
		s, err := Open(Config{Interface: linktest.Near, GSO: true})
		if err == nil {
			s.Close()
		}
		go func() { dropped <- err }()
	})
	if err := <-dropped; !errors.Is(err, unix.EPERM) {
		t.Errorf("Open without CAP_NET_ADMIN: %v, want %v", err, unix.EPERM)
	}
}

// without runs f on the test's thread with a capability less.
func without(t *testing.T, capability uint, f func()) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	linktest.Must(t, unix.Capget(&header, &data[0]))
	whole := data
	data[capability/32].Effective &^= 1 << (capability % 32)
	linktest.Must(t, unix.Capset(&header, &data[0]))
	defer func() { linktest.Must(t, unix.Capset(&header, &whole[0])) }()
	f()
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

// TestSuperSegmentsAllocateNothing is the budget of the hot path.
func TestSuperSegmentsAllocateNothing(t *testing.T) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	s := openSink(t, Config{Full: Block, GSO: true})
	c := mirror.Open(s, flows[0].flow, options(mirror.Mark{}))
	p := make([]byte, 64<<10)
	c.Data(mirror.OriginToClient, p)
	if allocs := testing.AllocsPerRun(2000, func() { c.Data(mirror.OriginToClient, p) }); allocs >= 1 {
		t.Errorf("%v allocations per Data of 64 KiB", allocs)
	}
}
