package mirror_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// fixed makes two renderings of the same session comparable.
func fixed(opts mirror.Options) mirror.Options {
	isn := opts.ISN
	if isn == nil {
		isn = func() uint32 { return 77 }
	}
	opts.ISN, opts.Now = isn, func() time.Time { return time.UnixMilli(1 << 40) }
	return opts
}

func TestSuperSegmentsShowTheSameFrames(t *testing.T) {
	for _, tt := range media {
		for _, limit := range []int{65535, 16 << 10, 3000} {
			t.Run(fmt.Sprint(tt.name, " limit ", limit), func(t *testing.T) {
				var frames [2][][]byte
				var batches, offered [2]int
				for i, l := range []int{0, limit} {
					recorder := &mirrortest.Recorder{}
					recorder.SetMTU(tt.mtu)
					recorder.SetSegmentLimit(l)
					c := mirror.Open(recorder, tt.flow, fixed(tt.opts))
					exchange(c)
					c.Data(toClient, random(1<<20))
					account := c.Close()
					frames[i] = recorder.Frames()
					if account.Frames != uint64(len(frames[i])) || account.FramesLost != 0 {
						t.Errorf("account %+v, %d frames shown", account, len(frames[i]))
					}
					for _, n := range recorder.Batches() {
						batches[i]++
						offered[i] += n
					}
				}
				if len(frames[0]) != len(frames[1]) {
					t.Fatalf("%d frames by segments, %d by super-segments", len(frames[0]), len(frames[1]))
				}
				for i := range frames[0] {
					if !bytes.Equal(frames[0][i], frames[1][i]) {
						t.Fatalf("frame %d:\n%x by segments\n%x by super-segments", i+1, frames[0][i], frames[1][i])
					}
				}
				if 2*tt.mtu < limit && offered[1]*2 > offered[0]+20 {
					t.Errorf("%d frames offered, %d without super-segments", offered[1], offered[0])
				}
			})
		}
	}
}

func TestPartOfASuperSegment(t *testing.T) {
	for _, tt := range media {
		for _, taken := range []int{0, 1, 7, 10} {
			t.Run(fmt.Sprint(tt.name, " taken ", taken), func(t *testing.T) {
				recorder := &mirrortest.Recorder{}
				recorder.SetMTU(min(tt.mtu, 1500))
				recorder.SetSegmentLimit(65535)
				c := mirror.Open(recorder, tt.flow, tt.opts)
				c.Data(toOrigin, random(100))
				size, done := 0, false
				recorder.Fail = func(frames []mirror.Frame) (int, error) {
					if done {
						return len(frames), nil
					}
					done, size = true, frames[0].Segment
					frames[0].Advance(taken)
					if rest, whole := mirrortest.Cut(&frames[0]), 11-taken; len(rest) != whole {
						t.Errorf("%d segments remain, want %d", len(rest), whole)
					}
					return 0, mirror.ErrFull
				}
				c.Data(toClient, random(fullSegment(tt.flow, tt.mtu)*10+3))
				c.Data(toClient, []byte("after"))
				account := c.Close()
				checkClean(t, recorder.Frames())
				want := uint64(fullSegment(tt.flow, tt.mtu)*10 + 3 - taken*size)
				if lost := account.Lost["queue-full"][toClient]; lost != want {
					t.Errorf("%d octets lost, want %d", lost, want)
				}
				var gap uint64
				for _, g := range one(t, recorder.Frames()).Gaps[toClient] {
					gap += g.Length
				}
				if gap != want || account.Frames != uint64(len(recorder.Frames())) {
					t.Errorf("gap of %d octets, %d frames; want %d, %d", gap, len(recorder.Frames()), want, account.Frames)
				}
			})
		}
	}
}

// fullSegment returns the payload of a full segment at an MTU of 1500 or less.
func fullSegment(flow mirror.Flow, mtu int) int {
	if flow.Client.Addr().Is6() {
		return min(mtu, 1500) - 60 - 12
	}
	return min(mtu, 1500) - 40 - 12
}

// TestAdvance cuts the rest of a super-segment: the frames are the last of the
// whole one's.
func TestAdvance(t *testing.T) {
	for _, tt := range media {
		t.Run(tt.name, func(t *testing.T) {
			whole, rest := &mirrortest.Recorder{}, &mirrortest.Recorder{}
			for _, r := range []*mirrortest.Recorder{whole, rest} {
				r.SetMTU(min(tt.mtu, 1500))
				r.SetSegmentLimit(65535)
				if r == rest {
					r.Fail = func(frames []mirror.Frame) (int, error) {
						for i := range frames {
							for range 3 {
								frames[i].Advance(3)
							}
							for _, frame := range mirrortest.Cut(&frames[i]) {
								// Whatever Send is told, it is these that count.
								if n := frames[i].Segments(); n > 1 {
									checkIn(t, frame, whole.Frames())
								}
							}
						}
						return len(frames), nil
					}
				}
				c := mirror.Open(r, tt.flow, fixed(tt.opts))
				c.Data(toClient, random(60_000))
			}
		})
	}
}

func checkIn(t *testing.T, frame []byte, all [][]byte) {
	t.Helper()
	for _, f := range all {
		if bytes.Equal(f, frame) {
			return
		}
	}
	t.Errorf("frame %x is not among the %d of the whole", frame[:66], len(all))
}
