package wire

import (
	"bytes"
	"testing"
)

func TestGreetings(t *testing.T) {
	var flow kernelFlow
	flow.Sides[toOrigin].Isn = 1
	flow.Sides[toClient].Isn = 1<<32 - 3
	tuple := kernelTuple{ClientPort: 1}
	for _, tt := range []struct {
		name   string
		frames []said
		next   uint32
		want   string
	}{
		{"one frame over the wrap", []said{{1<<32 - 2, []byte("220 hi")}}, 4, "220 hi"},
		{"two, reversed, overlapping", []said{{1, []byte(" hi")}, {1<<32 - 2, []byte("220 ")}}, 4, "220 hi"},
		{"twice", []said{{1<<32 - 2, []byte("220 hi")}, {1<<32 - 2, []byte("220 hi")}}, 4, "220 hi"},
		{"one missing", []said{{1, []byte(" hi")}}, 4, ""},
		{"more was said", []said{{1<<32 - 2, []byte("220 hi")}}, 5, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flow.Sides[toClient].Next = tt.next
			g := greetings{flows: map[kernelTuple]*greeting{tuple: {isn: 1, frames: tt.frames}}}
			if got := g.take(tuple, &flow); !bytes.Equal(got, []byte(tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if len(g.flows) != 0 {
				t.Error("still remembered")
			}
		})
	}
	g := greetings{limit: boundsOf(4).greetings, flows: map[kernelTuple]*greeting{tuple: {isn: 2, frames: []said{{1<<32 - 2, []byte("220 hi")}}}}}
	if got := g.take(tuple, &flow); got != nil {
		t.Errorf("greeting of an earlier connection: %q", got)
	}
	for port := range 2 * greetingFlows {
		g.add(kernelTuple{ClientPort: uint16(port), OriginPort: uint16(port >> 16)}, 1, &frame{})
	}
	if len(g.flows) != greetingFlows/4 {
		t.Errorf("%d flows remembered, want %d of a loop of four", len(g.flows), greetingFlows/4)
	}
}
