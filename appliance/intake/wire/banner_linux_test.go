package wire

import (
	"bytes"
	"testing"
)

func TestBanners(t *testing.T) {
	var flow kernelFlow
	flow.Sides[toOrigin].Isn = 1
	flow.Sides[toClient].Isn = 1<<32 - 3
	tuple := kernelTuple{ClientPort: 1}
	for _, tt := range []struct {
		name   string
		frames []bannerSegment
		next   uint32
		want   string
	}{
		{"one frame over the wrap", []bannerSegment{{1<<32 - 2, []byte("220 hi")}}, 4, "220 hi"},
		{"two, reversed, overlapping", []bannerSegment{{1, []byte(" hi")}, {1<<32 - 2, []byte("220 ")}}, 4, "220 hi"},
		{"twice", []bannerSegment{{1<<32 - 2, []byte("220 hi")}, {1<<32 - 2, []byte("220 hi")}}, 4, "220 hi"},
		{"one missing", []bannerSegment{{1, []byte(" hi")}}, 4, ""},
		{"more was said", []bannerSegment{{1<<32 - 2, []byte("220 hi")}}, 5, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flow.Sides[toClient].Next = tt.next
			g := banners{byTuple: map[kernelTuple]*banner{tuple: {isn: 1, segments: tt.frames}}}
			if got := g.take(tuple, &flow); !bytes.Equal(got, []byte(tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if len(g.byTuple) != 0 {
				t.Error("still remembered")
			}
		})
	}
	g := banners{limit: limitsOf(4).banners, byTuple: map[kernelTuple]*banner{tuple: {isn: 2, segments: []bannerSegment{{1<<32 - 2, []byte("220 hi")}}}}}
	if got := g.take(tuple, &flow); got != nil {
		t.Errorf("greeting of an earlier connection: %q", got)
	}
	for port := range 2 * bannerFlows {
		g.add(kernelTuple{ClientPort: uint16(port), OriginPort: uint16(port >> 16)}, 1, &frame{})
	}
	if len(g.byTuple) != bannerFlows/4 {
		t.Errorf("%d flows remembered, want %d of a loop of four", len(g.byTuple), bannerFlows/4)
	}
}
