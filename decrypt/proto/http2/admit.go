package http2

import "github.com/clearspan/clearspan/decrypt/proto"

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
	switch {
	case r.mode == Strict && !r.begun && h.Type != Settings:
		return ErrPreface // RFC 9113, Section 3.4
	case r.mode == Strict && h.Length > r.limits.Frame:
		return errTooLong
	case r.skips && h.bearsBlock():
		return nil
	case r.interrupts(h):
		return errContinuation
	case h.Type == PushPromise && r.dir == proto.ClientToOrigin:
		return errPush
	case r.mode == Loose && !r.whole(h) && h.Type != Data:
		return nil
	}
	return h.check()
}

// interrupts reports whether a frame stands in the midst of a header block of others,
// or continues none (RFC 9113, Section 6.10).
func (r *Reader) interrupts(h Header) bool {
	if r.stream == 0 {
		return h.Type == Continuation
	}
	return h.Type != Continuation || h.Stream != r.stream
}
