package mirror_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
	"github.com/google/go-cmp/cmp"
)

// refuse makes a recorder refuse every frame from the first on that matches.
func refuse(match func(mirror.Frame) bool) func([]mirror.Frame) (int, error) {
	return func(frames []mirror.Frame) (int, error) {
		for i, frame := range frames {
			if match(frame) {
				return i, mirror.ErrFull
			}
		}
		return len(frames), nil
	}
}

func TestSkipIsATrueGap(t *testing.T) {
	for _, tt := range media {
		t.Run(tt.name, func(t *testing.T) {
			recorder := &mirrortest.Recorder{}
			recorder.SetMTU(tt.mtu)
			c := mirror.Open(recorder, tt.flow, tt.opts)
			c.Data(toOrigin, []byte("one"))
			c.Skip(toOrigin, 10, "late")
			c.Skip(toOrigin, 0, "nothing")
			c.Skip(toClient, 1<<20, "late")
			c.Data(toOrigin, []byte("two"))
			c.Data(toClient, []byte("three"))
			c.Skip(toClient, 5, "queue-full")
			account := c.Close()

			checkClean(t, recorder.Frames())
			got := one(t, recorder.Frames())
			wantGaps := [2][]mirrortest.Gap{{{Offset: 3, Length: 10}}, {{Offset: 0, Length: 1 << 20}, {Offset: 1<<20 + 5, Length: 5}}}
			if diff := cmp.Diff(wantGaps, got.Gaps); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if a, b := string(got.Streams[0]), string(got.Streams[1]); a != "onetwo" || b != "three" {
				t.Errorf("streams %q and %q", a, b)
			}
			want := map[string][2]uint64{"late": {10, 1 << 20}, "queue-full": {0, 5}}
			if diff := cmp.Diff(want, account.Lost); diff != "" {
				t.Errorf("lost (-want +got):\n%s", diff)
			}
			if account.LostOctets(toClient) != 1<<20+5 {
				t.Errorf("LostOctets = %d", account.LostOctets(toClient))
			}
		})
	}
}

func TestGapOfManyGigabytes(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{})
	c.Data(toClient, []byte("before"))
	for range 5 {
		c.Skip(toClient, 3<<30, "late")
	}
	c.Data(toClient, []byte("after"))
	account := c.Close()
	checkClean(t, recorder.Frames())
	got := one(t, recorder.Frames())
	if diff := cmp.Diff([]mirrortest.Gap{{Offset: 6, Length: 1 << 30}}, got.Gaps[1]); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if account.Lost["late"] != [2]uint64{0, 15 << 30} {
		t.Errorf("lost %v, want 15 GiB", account.Lost)
	}
}

func TestReaderAppearsInTheMiddle(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	recorder.SetIdle(true)
	c := mirror.Open(recorder, flow4, mirror.Options{Note: "rule 1"})
	c.Data(toOrigin, random(100))
	c.Data(toClient, random(5000))
	if n := len(recorder.Batches()); n != 0 {
		t.Fatalf("%d calls of Send while idle", n)
	}
	recorder.SetIdle(false)
	c.Data(toClient, []byte("seen"))
	recorder.SetIdle(true)
	c.Data(toClient, random(70000))
	c.End(toOrigin)
	recorder.SetIdle(false)
	account := c.Close()

	checkClean(t, recorder.Frames())
	if got := shape(t, recorder.Frames()); got != ">S <S. >. <P. >F. <F. >." {
		t.Errorf("frames %s", got)
	}
	if recorder.Notes()[0] != "rule 1" {
		t.Errorf("notes %q", recorder.Notes())
	}
	got := one(t, recorder.Frames())
	wantGaps := [2][]mirrortest.Gap{{{Offset: 0, Length: 100}}, {{Offset: 0, Length: 5000}, {Offset: 5004, Length: 70000}}}
	if diff := cmp.Diff(wantGaps, got.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	want := mirror.Account{Frames: 7, Octets: [2]uint64{0, 4}, Lost: map[string][2]uint64{mirror.ReasonNoReader: {100, 75000}}}
	if diff := cmp.Diff(want, account); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
}

func TestNobodyEverReads(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	recorder.SetIdle(true)
	c := mirror.Open(recorder, flow4, mirror.Options{})
	c.Data(toOrigin, random(10))
	c.Reset(toClient)
	want := mirror.Account{Lost: map[string][2]uint64{mirror.ReasonNoReader: {10, 0}}}
	if diff := cmp.Diff(want, c.Close()); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
	if n := len(recorder.Batches()); n != 0 {
		t.Errorf("%d calls of Send", n)
	}
}

func TestRefusedFramesLeaveAGap(t *testing.T) {
	calls := 0
	recorder := &mirrortest.Recorder{Fail: func(frames []mirror.Frame) (int, error) {
		if calls++; calls == 3 {
			return 2, fmt.Errorf("send: %w", mirror.ErrNoLink)
		}
		return len(frames), nil
	}}
	c := mirror.Open(recorder, flow4, mirror.Options{})
	c.Data(toOrigin, []byte("request"))
	c.Note("kept")
	c.Data(toClient, random(10*1448))
	c.Data(toClient, []byte("more"))
	account := c.Close()

	checkClean(t, recorder.Frames())
	want := mirror.Account{
		Frames: uint64(len(recorder.Frames())), FramesLost: 8,
		Octets: [2]uint64{7, 2*1448 + 4}, Lost: map[string][2]uint64{"no-link": {0, 8 * 1448}},
	}
	if diff := cmp.Diff(want, account); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
	got := one(t, recorder.Frames())
	if diff := cmp.Diff([]mirrortest.Gap{{Offset: 2 * 1448, Length: 8 * 1448}}, got.Gaps[1]); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if !bytes.HasSuffix(got.Streams[1], []byte("more")) {
		t.Error("stream does not go on after the gap")
	}
}

func TestRefusedHandshakeAndEndComeLater(t *testing.T) {
	flags := func(bit byte) func(mirror.Frame) bool {
		return func(f mirror.Frame) bool { return f.Header[14+20+13]&bit != 0 }
	}
	for _, tt := range []struct {
		name  string
		match func(mirror.Frame) bool
		steps func(*mirror.Conversation)
		want  string
	}{
		{"SYN", flags(mirrortest.SYN), func(c *mirror.Conversation) {}, ">S <S. >. <P. >F. <F. >."},
		{"FIN", flags(mirrortest.FIN), func(c *mirror.Conversation) { c.End(toOrigin) }, ">S <S. >. >F. <. <P. <F. >."},
		{"RST", flags(mirrortest.RST), func(c *mirror.Conversation) { c.Reset(toClient) }, ">S <S. >. <R."},
		{"last ACK", func(f mirror.Frame) bool { return f.Header[14+20+13] == mirrortest.ACK && len(f.Payload) == 0 },
			func(c *mirror.Conversation) { c.End(toOrigin); c.End(toClient) }, ">S <S. >F. <F. >."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			failing := true
			only := refuse(tt.match)
			recorder := &mirrortest.Recorder{Fail: func(frames []mirror.Frame) (int, error) {
				if failing {
					return only(frames)
				}
				return len(frames), nil
			}}
			c := mirror.Open(recorder, flow4, mirror.Options{})
			tt.steps(c)
			failing = false
			c.Data(toClient, []byte("octets"))
			account := c.Close()
			if got := shape(t, recorder.Frames()); got != tt.want {
				t.Errorf("frames\n got %s\nwant %s", got, tt.want)
			}
			if account.FramesLost == 0 || account.FramesLost != uint64(recorder.Refused()) {
				t.Errorf("%d frames lost, sink refused %d", account.FramesLost, recorder.Refused())
			}
			if !one(t, recorder.Frames()).Ended {
				t.Error("no end")
			}
		})
	}
}

func TestMTUChangesOnTheWay(t *testing.T) {
	recorder := &mirrortest.Recorder{}
	c := mirror.Open(recorder, flow4, mirror.Options{})
	want := random(4000)
	var longest []int
	for _, mtu := range []int{1500, 600, 9000, 0, -1} {
		recorder.SetMTU(mtu)
		from := len(recorder.Frames())
		c.Data(toClient, want)
		size := 0
		for _, s := range decode(t, recorder.Frames()[from:]) {
			size = max(size, s.PacketLen)
		}
		longest = append(longest, size)
	}
	c.Close()
	checkClean(t, recorder.Frames())
	if diff := cmp.Diff([]int{1500, 600, 1500, 1500, 576}, longest); diff != "" {
		t.Errorf("longest packets (-want +got):\n%s", diff)
	}
}

// shrinking is a sink whose MTU goes down while it is sent to, so that the rest of
// what it was given is too long.
type shrinking struct {
	mirrortest.Recorder
	at   []int // sends at which that happens
	by   int
	sent int
}

func (s *shrinking) Send(frames []mirror.Frame) (int, error) {
	s.sent++
	if !slices.Contains(s.at, s.sent) {
		return s.Recorder.Send(frames)
	}
	n, _ := s.Recorder.Send(frames[:len(frames)/2])
	s.SetMTU(s.MTU() - s.by)
	return n, mirror.ErrTooLong
}

// TestMTUShrinksMeanwhile: what has become too long is cut anew.
func TestMTUShrinksMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name  string
		at    []int
		by    int
		super int
		lost  bool
	}{
		{"once", []int{3}, 300, 0, false},
		{"again and again", []int{2, 3, 4, 5}, 50, 0, false},
		{"for ever", []int{2, 3, 4, 5, 6, 7, 8, 9}, 10, 0, true},
		{"not really", []int{3}, 0, 0, true},
		{"super-segments", []int{2, 4}, 300, 65535, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &shrinking{at: tt.at, by: tt.by}
			s.SetSegmentLimit(tt.super)
			c := mirror.Open(s, flow4, mirror.Options{})
			sent := [2][]byte{random(500_000), random(70_000)}
			c.Data(toOrigin, sent[0])
			c.Data(toClient, sent[1])
			account := c.Close()
			got := one(t, s.Frames())
			for _, f := range got.Findings {
				if !tt.lost {
					t.Error(f)
				}
			}
			for dir := range sent {
				shown := account.Octets[dir]
				if shown+account.LostOctets(mirror.Direction(dir)) != uint64(len(sent[dir])) || got.Octets[dir] != shown {
					t.Errorf("direction %d: %d octets recorded, account %+v", dir, got.Octets[dir], account)
				}
				if !tt.lost && !bytes.Equal(got.Streams[dir], sent[dir]) {
					t.Errorf("direction %d: %d octets with gaps %v", dir, len(got.Streams[dir]), got.Gaps[dir])
				}
			}
			if lost := account.Lost != nil; lost != tt.lost {
				t.Errorf("lost %v", account.Lost)
			}
		})
	}
}

func TestReasonsAreBounded(t *testing.T) {
	c := mirror.Open(&mirrortest.Recorder{}, flow4, mirror.Options{})
	for n := range 100 {
		c.Skip(toOrigin, 1, fmt.Sprint("reason ", n))
	}
	c.Skip(toOrigin, 1, "reason 3")
	account := c.Close()
	if len(account.Lost) > 17 || account.LostOctets(toOrigin) != 101 || account.Lost["reason 3"][0] != 2 {
		t.Errorf("lost %v", account.Lost)
	}
}

// careless breaks the contract of Send.
type careless struct {
	mirrortest.Recorder
	n   int
	err error
}

func (s *careless) Send(frames []mirror.Frame) (int, error) { return s.n, s.err }

func TestSinkThatBreaksItsContract(t *testing.T) {
	for _, tt := range []struct {
		name      string
		n         int
		err       error
		delivered bool
	}{{"negative", -1, mirror.ErrFull, false}, {"more than offered", 1000, nil, true}, {"short without error", 0, nil, false}} {
		t.Run(tt.name, func(t *testing.T) {
			c := mirror.Open(&careless{n: tt.n, err: tt.err}, flow4, mirror.Options{})
			c.Data(toOrigin, random(100))
			account := c.Close()
			if account.Octets[0]+account.LostOctets(toOrigin) != 100 || (account.Octets[0] == 100) != tt.delivered {
				t.Errorf("account %+v", account)
			}
		})
	}
}
