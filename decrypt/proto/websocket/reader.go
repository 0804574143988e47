package websocket

import "github.com/clearspan/clearspan/decrypt/proto"

// Reader checks the frames of one direction. It is for one goroutine.
type Reader struct {
	dir    proto.Direction
	loose  bool
	within bool // a message has begun and not ended
}

// NewReader returns a reader of what goes in a direction.
func NewReader(dir proto.Direction) *Reader { return &Reader{dir: dir} }

// NewLoose returns a reader that only watches. It takes compressed messages (RFC 7692),
// lengths in any form, and frames with a mask or without one in both directions.
func NewLoose(dir proto.Direction) *Reader { return &Reader{dir: dir, loose: true} }

// Within reports whether a message has begun and not ended.
func (r *Reader) Within() bool { return r.within }

// Next reads the header of a frame at the beginning of p, and returns its size. The
// payload of the frame follows it, and then the next header. The size is 0 if p ends
// within the header, or with a fault, after which the direction cannot be read on. The
// payload of a Close frame is for [CheckClose].
func (r *Reader) Next(p []byte) (h Header, size int, fault Fault) {
	h, reserved, size, minimal := parse(p)
	if len(p) < 2 {
		return h, 0, Sound
	}
	if fault := r.check(h, reserved, p[1]&0x7f); fault != Sound {
		return h, 0, fault
	}
	if !minimal && (!r.loose || h.Length < 0) {
		return h, 0, BadLength
	}
	h.Compressed = reserved == compressed
	if size > 0 && !h.Opcode.IsControl() {
		r.within = !h.Fin
	}
	return h, size, Sound
}

// compressed is the bit of a message that is deflated.
const compressed = 0x40

// check judges the first two octets of a frame, whose length field is given.
func (r *Reader) check(h Header, reserved, length byte) Fault {
	deflated := r.loose && reserved == compressed && (h.Opcode == Text || h.Opcode == Binary)
	switch {
	case reserved != 0 && !deflated:
		return ReservedBits
	case !h.Opcode.known():
		return BadOpcode
	case h.Masked != (r.dir == proto.ClientToOrigin) && !r.loose:
		return BadMask
	case h.Opcode.IsControl() && (!h.Fin || length > MaxControl):
		return BadControl
	case h.Opcode.IsControl():
		return Sound
	case (h.Opcode == Continuation) != r.within:
		return BadOrder
	}
	return Sound
}
