package http2

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// FuzzReader: a reader returns the same of octets at once and in pieces, in both
// directions and modes, holds what it may, and loses none of a faulty unit.
func FuzzReader(f *testing.F) {
	get := block(":method", "GET", ":path", "/")
	f.Add([]byte(Preface+settings+frame(Headers, EndHeaders, 1, get)+frame(Data, Padded, 1, "\x01a\x00")), byte(0), 3)
	f.Add([]byte(settings+frame(Headers, Padded, 1, "\x01"+get+"\x00")+frame(Continuation, EndHeaders, 1, get)+frame(0xbe, 0, 0, "x")), byte(1), 1)
	f.Add([]byte(settings+frame(Settings, 0, 1, "")+frame(RSTStream, 0, 1, "\x00")+frame(PushPromise, EndHeaders, 1, "\x00\x00\x00\x02"+get)), byte(3), 12)
	f.Add([]byte(Preface+settings+frame(Headers, 0, 1, "\xff\xff")+frame(GoAway, 0, 0, "1234")), byte(6), 10)
	f.Fuzz(func(t *testing.T, p []byte, kind byte, size int) {
		run := func(size int) transcript {
			r := NewReader(proto.Direction(kind&1), Mode(kind>>1&1), Limits{Block: 300, Frames: 5})
			if kind&4 != 0 {
				r.SkipBlocks()
			}
			return readAll(t, r, string(p), size)
		}
		once, pieces := run(1<<20), run(max(1, size&0xff))
		if diff := cmp.Diff(once.frames, pieces.frames); diff != "" {
			t.Errorf("(-at once +in pieces):\n%s", diff)
		}
		if once.rest != pieces.rest {
			t.Errorf("%d octets from the faulty unit on, in pieces %d", once.rest, pieces.rest)
		}
	})
}
