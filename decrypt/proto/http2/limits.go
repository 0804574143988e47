package http2

import "github.com/clearspan/clearspan/decrypt/proto"

// Mode is how a [Reader] treats frames that break the rules.
type Mode uint8

const (
	Strict Mode = iota // as an end of the connection has to
	Loose              // as one who only watches may
)

// Limits bound what a [Reader] holds and accepts. A zero stands for the default.
type Limits struct {
	// Frame is the largest payload in octets (SETTINGS_MAX_FRAME_SIZE). The default is
	// 16,384. Loose readers have no such bound.
	Frame int
	// Block is the octets of a header block with its frames, and of any other frame
	// that is read whole. The default is 256 KiB.
	Block int
	// Frames is the number of frames of a header block. The default is 128.
	Frames int
}

// NewReader returns a reader of what travels in a direction. That of a client begins
// with the [Preface].
func NewReader(dir proto.Direction, mode Mode, limits Limits) *Reader {
	if limits.Frame == 0 {
		limits.Frame = 1 << 14
	}
	if limits.Block == 0 {
		limits.Block = 256 << 10
	}
	if limits.Frames == 0 {
		limits.Frames = 128
	}
	r := &Reader{dir: dir, mode: mode, limits: limits}
	if dir == proto.ClientToOrigin {
		r.preface = len(Preface)
	}
	return r
}
