package http2

import (
	"cmp"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// whole reports whether a frame is read whole before it is returned.
func (r *Reader) whole(h Header) bool {
	switch h.Type {
	case Headers, PushPromise, Continuation:
		return !r.skips
	case Settings, RSTStream, GoAway:
		return true
	case Priority, Ping, WindowUpdate:
		return r.mode == Strict
	}
	return false
}

// admit returns why a frame with this header cannot come next, or nil.
func (r *Reader) admit(h Header) *Fault {
	fault := r.disorder(h)
	switch whole := r.whole(h); {
	case r.skips && h.bearsBlock():
		return nil
	case fault != nil:
		return fault
	case r.mode == Strict && h.Length > r.limits.Frame:
		return errTooLong
	case r.mode == Loose && !whole && h.Type != Data:
		return nil
	case whole && (r.start+HeaderLength+h.Length > r.limits.Block || r.frames >= r.limits.Frames):
		fault = errBound
	}
	return cmp.Or(h.check(), fault)
}

// disorder returns why a frame stands in a wrong place, or nil (RFC 9113, Sections
// 3.4, 6.10 and 8.4).
func (r *Reader) disorder(h Header) *Fault {
	switch {
	case r.mode == Strict && !r.begun && h.Type != Settings:
		return ErrPreface
	case (r.stream != 0) != (h.Type == Continuation), r.stream != 0 && h.Stream != r.stream:
		return errContinuation
	case h.Type == PushPromise && r.dir == proto.ClientToOrigin:
		return errPush
	}
	return nil
}
