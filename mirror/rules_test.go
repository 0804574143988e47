package mirror_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
	"github.com/google/go-cmp/cmp"
)

const (
	toOrigin = mirror.ClientToOrigin
	toClient = mirror.OriginToClient
)

var (
	flow4 = mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:8080")}
	flow6 = mirror.Flow{Client: netip.MustParseAddrPort("[2001:db8::1]:50000"), Origin: netip.MustParseAddrPort("[2001:db8:1::2]:8080")}
)

// media are the shapes in which every rule must hold.
var media = []struct {
	name string
	flow mirror.Flow
	opts mirror.Options
	mtu  int
}{
	{"IPv4", flow4, mirror.Options{}, 1500},
	{"IPv4 VLAN", flow4, mirror.Options{Mark: mirror.Mark{VLAN: 4094, DSCP: 63}}, 1500},
	{"IPv4 MTU 576", flow4, mirror.Options{}, 576},
	{"IPv4 MTU 9000", flow4, mirror.Options{}, 9000},
	{"IPv4 MTU 65535", flow4, mirror.Options{}, 65535},
	{"IPv6", flow6, mirror.Options{}, 1500},
	{"IPv6 VLAN", flow6, mirror.Options{Mark: mirror.Mark{VLAN: 1, DSCP: 10}}, 1500},
	{"IPv6 MTU 576", flow6, mirror.Options{}, 576},
	{"IPv6 MTU 9000", flow6, mirror.Options{}, 9000},
	{"IPv6 MTU 65535", flow6, mirror.Options{}, 65535},
	{"sequence wrap", flow4, mirror.Options{ISN: func() uint32 { return 1<<32 - 20000 }}, 1500},
	{"sequence wrap in the first octets", flow6, mirror.Options{ISN: func() uint32 { return 1<<32 - 2 }}, 1500},
}

// random returns n octets that differ from any other run of them.
func random(n int) []byte {
	p := make([]byte, n)
	source := rand.NewChaCha8([32]byte{byte(n)})
	source.Read(p)
	return p
}

// exchange shows a session with requests and a long answer.
func exchange(c *mirror.Conversation) (sent [2][]byte) {
	say := func(dir mirror.Direction, p []byte) {
		c.Data(dir, p)
		sent[dir] = append(sent[dir], p...)
	}
	say(toOrigin, random(300))
	for n := range 20 {
		say(toClient, random(16<<10+n))
	}
	say(toOrigin, random(1))
	say(toClient, random(1448))
	say(toOrigin, random(200_000))
	say(toClient, random(3))
	return sent
}

// decode decodes frames that must be sound.
func decode(t *testing.T, frames [][]byte) []mirrortest.Segment {
	t.Helper()
	var decoder mirrortest.Decoder
	segments := make([]mirrortest.Segment, len(frames))
	for i, frame := range frames {
		var err error
		if segments[i], err = decoder.Decode(frame); err != nil {
			t.Fatalf("frame %d: %v", i+1, err)
		}
	}
	return segments
}

func checkClean(t *testing.T, frames [][]byte) {
	t.Helper()
	for _, finding := range mirrortest.Check(frames) {
		t.Error(finding)
	}
}

// one returns the only conversation in frames.
func one(t *testing.T, frames [][]byte) mirrortest.Conversation {
	t.Helper()
	a := mirrortest.NewAnalyzer(mirrortest.Options{})
	for _, frame := range frames {
		a.Add(frame)
	}
	conversations, findings := a.Finish()
	if len(conversations) != 1 || len(findings) != 0 {
		t.Fatalf("%d conversations, %v", len(conversations), findings)
	}
	return conversations[0]
}

func TestEveryRuleOnEveryMedium(t *testing.T) {
	for _, tt := range media {
		t.Run(tt.name, func(t *testing.T) {
			recorder := &mirrortest.Recorder{}
			recorder.SetMTU(tt.mtu)
			c := mirror.Open(recorder, tt.flow, tt.opts)
			sent := exchange(c)
			account := c.Close()

			frames := recorder.Frames()
			checkClean(t, frames)
			got := one(t, frames)
			for dir := range sent {
				if !bytes.Equal(got.Streams[dir], sent[dir]) || got.Gaps[dir] != nil {
					t.Errorf("direction %d: %d octets with gaps %v, want the %d sent", dir, len(got.Streams[dir]), got.Gaps[dir], len(sent[dir]))
				}
			}
			want := mirror.Account{Frames: uint64(len(frames)), Octets: [2]uint64{uint64(len(sent[0])), uint64(len(sent[1]))}}
			if diff := cmp.Diff(want, account); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
			for i, s := range decode(t, frames) {
				if s.PacketLen > tt.mtu {
					t.Errorf("frame %d: packet of %d octets, MTU %d", i+1, s.PacketLen, tt.mtu)
				}
			}
		})
	}
}

// tshark takes an ACK of number 0 for a duplicate, so this one is for our own
// checker only.
func TestSequenceWrapInTheHandshake(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{ISN: func() uint32 { return 1<<32 - 1 }})
	c.Data(toOrigin, []byte("octets"))
	c.Close()
	checkClean(t, recorder.Frames())
	if s := decode(t, recorder.Frames())[3]; s.Seq != 0 || s.Ack != 0 {
		t.Errorf("first data have sequence %d and ACK %d, want 0 and 0", s.Seq, s.Ack)
	}
}

func TestHeaderFields(t *testing.T) {
	for _, tt := range media {
		t.Run(tt.name, func(t *testing.T) {
			recorder := &mirrortest.Recorder{}
			recorder.SetMTU(tt.mtu)
			c := mirror.Open(recorder, tt.flow, tt.opts)
			exchange(c)
			c.Close()
			var id [2]uint16
			var seen [2]bool
			for i, s := range decode(t, recorder.Frames()) {
				dir := 0
				if s.Source != tt.flow.Client {
					dir = 1
				}
				if v4 := s.Source.Addr().Is4(); s.HopLimit != 64 || s.FlowLabel != 0 || s.DF != v4 || s.Traffic != tt.opts.Mark.DSCP<<2 {
					t.Fatalf("frame %d: %+v", i+1, s.Header)
				}
				if tag := tt.opts.Mark.VLAN; s.VLAN != tag || (tag != 0) != (s.Tags == 1) {
					t.Fatalf("frame %d: %d tags, VLAN %d, want %d", i+1, s.Tags, s.VLAN, tag)
				}
				if s.Source.Addr().Is4() && seen[dir] && s.ID != id[dir]+1 {
					t.Fatalf("frame %d: identification %d after %d", i+1, s.ID, id[dir])
				}
				id[dir], seen[dir] = s.ID, true
			}
		})
	}
}

func TestAnnouncedMSS(t *testing.T) {
	for _, tt := range []struct {
		flow      mirror.Flow
		mtu, want int
	}{{flow4, 1500, 1460}, {flow6, 1500, 1440}, {flow4, 576, 536}, {flow4, 100, 536}, {flow4, 0, 1460}, {flow6, 9000, 8940}, {flow4, 65536, 65495}} {
		t.Run(fmt.Sprintf("%v MTU %d", tt.flow.Client.Addr(), tt.mtu), func(t *testing.T) {
			recorder := &mirrortest.Recorder{}
			recorder.SetMTU(tt.mtu)
			c := mirror.Open(recorder, tt.flow, mirror.Options{})
			c.Data(toOrigin, random(70000))
			segments := decode(t, recorder.Frames())
			if got := [2]int{int(segments[0].MSS), int(segments[1].MSS)}; got != [2]int{tt.want, tt.want} {
				t.Errorf("MSS %v, want %d", got, tt.want)
			}
			if got := segments[3].PayloadLen; got != tt.want-12 {
				t.Errorf("first segment of %d octets, want %d", got, tt.want-12)
			}
		})
	}
}

func TestPushOnTheLastSegmentOfACall(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{})
	c.Data(toOrigin, random(3000))
	c.Data(toOrigin, random(1448))
	var got []bool
	for _, s := range decode(t, recorder.Frames())[3:] {
		got = append(got, s.Flags&mirrortest.PSH != 0)
	}
	if diff := cmp.Diff([]bool{false, false, true, true}, got); diff != "" {
		t.Errorf("PSH (-want +got):\n%s", diff)
	}
}

func TestPureACKsAreRare(t *testing.T) {
	for _, flow := range []mirror.Flow{flow4, flow6} {
		recorder := &mirrortest.Recorder{}
		c := mirror.Open(recorder, flow, mirror.Options{})
		for range 400 {
			c.Data(toClient, random(16<<10))
		}
		c.Close()
		got := one(t, recorder.Frames())
		if got.PureACKs < 100 || got.PureACKs*1000 > got.Frames*25 {
			t.Errorf("%v: %d pure ACKs in %d frames, want one in 64 KiB and at most 2.5 %%", flow.Client, got.PureACKs, got.Frames)
		}
	}
}

func TestTurnOfDirectionAcknowledges(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{ISN: func() uint32 { return 0 }})
	c.Data(toOrigin, random(100))
	c.Data(toClient, random(50))
	c.Data(toOrigin, random(10))
	segments := decode(t, recorder.Frames())
	if len(segments) != 6 {
		t.Fatalf("%d frames, want 6: no pure ACK", len(segments))
	}
	if segments[4].Ack != 101 || segments[5].Ack != 51 {
		t.Errorf("ACKs %d and %d, want 101 and 51", segments[4].Ack, segments[5].Ack)
	}
}

func TestTimestampsFollowTheClock(t *testing.T) {
	now := time.UnixMilli(1 << 32).Add(-2 * time.Second) // they wrap on the way
	opts := mirror.Options{Now: func() time.Time { return now }}
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, opts)
	start := uint32(now.UnixMilli())
	for _, step := range []time.Duration{time.Second, -time.Minute, time.Minute, 3 * time.Second} {
		now = now.Add(step)
		c.Data(toOrigin, random(10))
	}
	c.Data(toClient, random(10))
	var got [][2]uint32
	segments := decode(t, recorder.Frames())
	for _, s := range segments[3:] {
		got = append(got, [2]uint32{s.TSval - start, s.TSecr - start})
	}
	want := [][2]uint32{{1000, 0}, {1000, 0}, {1000, 0}, {4000, 0}, {4000, 4000}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("value and echo (-want +got):\n%s", diff)
	}
	c.Close()
	checkClean(t, recorder.Frames())
}

func TestBatchesHoldAtMost64Frames(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{})
	c.Data(toClient, random(1<<20))
	batches := recorder.Batches()
	for _, n := range batches {
		if n > 64 {
			t.Errorf("Send of %d frames", n)
		}
	}
	if len(batches) > 14 {
		t.Errorf("%d calls of Send for 1 MiB", len(batches))
	}
}

func TestNoteOnTheNextFrame(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{Note: "rule 1"})
	c.Note("one")
	c.Note("two")
	c.Data(toOrigin, random(2000))
	c.Data(toOrigin, random(1))
	want := []string{"rule 1", "", "", "one\ntwo", "", ""}
	if diff := cmp.Diff(want, recorder.Notes()); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
