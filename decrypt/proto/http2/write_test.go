package http2

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// TestAppend: frames are those that golang.org/x/net writes.
func TestAppend(t *testing.T) {
	var want bytes.Buffer
	w := http2.NewFramer(&want, nil)
	long := []byte(strings.Repeat("b", DefaultFrame+7))
	var got []byte
	for _, step := range []struct {
		name  string
		write func() error
		got   func(p []byte) []byte
	}{
		{"data", func() error { return w.WriteData(3, true, []byte("abc")) }, func(p []byte) []byte { return AppendData(p, 3, true, []byte("abc")) }},
		{"no data", func() error { return w.WriteData(3, false, nil) }, func(p []byte) []byte { return AppendData(p, 3, false, nil) }},
		{"header", func() error {
			return w.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: []byte("block"), EndStream: true, EndHeaders: true})
		}, func(p []byte) []byte { return AppendHeaders(p, 5, true, []byte("block")) }},
		{"empty header", func() error { return w.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, EndHeaders: true}) },
			func(p []byte) []byte { return AppendHeaders(p, 5, false, nil) }},
		{"long header", func() error {
			w.WriteHeaders(http2.HeadersFrameParam{StreamID: 5, BlockFragment: long[:DefaultFrame]})
			return w.WriteContinuation(5, true, long[DefaultFrame:])
		}, func(p []byte) []byte { return AppendHeaders(p, 5, false, long) }},
		{"reset", func() error { return w.WriteRSTStream(7, http2.ErrCodeCancel) }, func(p []byte) []byte { return AppendRSTStream(p, 7, Cancel) }},
		{"settings", func() error { return w.WriteSettings(http2.Setting{ID: 5, Val: 1 << 20}, http2.Setting{ID: 2}) },
			func(p []byte) []byte {
				return AppendSettings(p, Setting{MaxFrameSize, 1 << 20}, Setting{EnablePush, 0})
			}},
		{"settings ack", w.WriteSettingsAck, AppendSettingsACK},
		{"ping", func() error { return w.WritePing(true, [8]byte{1, 2}) }, func(p []byte) []byte { return AppendPing(p, true, []byte{1, 2, 7: 0}) }},
		{"goaway", func() error { return w.WriteGoAway(9, http2.ErrCodeNo, []byte("bye")) }, func(p []byte) []byte { return AppendGoAway(p, 9, NoError, []byte("bye")) }},
		{"window", func() error { return w.WriteWindowUpdate(0, MaxStream) }, func(p []byte) []byte { return AppendWindowUpdate(p, 0, MaxStream) }},
	} {
		want.Reset()
		if err := step.write(); err != nil {
			t.Fatal(step.name, err)
		}
		if got = step.got(got[:0]); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: %x, want %x", step.name, got, want.Bytes())
		}
	}
}
