package h2

import (
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// relay has the rest of a message, whose header was written, pass as it comes.
func (x *Session) relay(st *stream, kind adapt.Kind) {
	from := x.conns[kind]
	h := &st.halves[kind]
	h.held = false
	x.count(st, kind)
	switch more := h.window - h.recv - int64(len(h.pending)); {
	case h.ended:
	case more > 0:
		st.grant(from, more)
	default:
		h.debt = -more
	}
	x.pass(st, kind, nil)
}

// data takes content.
func (x *Session) data(from, to *conn, f *http2.Frame) error {
	size, p := f.Length, f.Body
	if from.recv -= int64(size); from.recv < 0 || !x.known(from, f.Stream) {
		return adapt.Refuse(from.kind, adapt.Protocol)
	}
	st := x.find(from, f.Stream)
	if st == nil {
		from.refund(size)
		return nil
	}
	h := &st.halves[from.kind]
	h.recv -= int64(size)
	h.got += int64(len(p))
	if code := h.check(f.EndsStream()); code != http2.NoError {
		from.refund(size)
		x.abandon(st, from, f.Stream, code)
		return nil
	}
	h.ended = f.EndsStream()
	from.refund(f.Padding) // it goes no further
	st.grant(from, int64(f.Padding))
	if !h.held {
		x.pass(st, from.kind, p)
		return nil
	}
	from.refund(len(p))
	if h.discard {
		st.grant(from, int64(len(p)))
	} else {
		h.keep(p)
		x.keep(st, from)
	}
	h.cond.Broadcast()
	return nil
}

// check returns the fault of content that has come, with or without the end behind
// it.
func (h *halfStream) check(ends bool) http2.Code {
	switch {
	case !h.begun:
		return http2.ProtocolError
	case h.ended:
		return http2.StreamClosed
	case h.recv < 0:
		return http2.FlowControlError
	case h.expect >= 0 && (h.got > h.expect || ends && h.got != h.expect):
		return http2.ProtocolError
	}
	return http2.NoError
}

// pass writes p, and before it what is pending of a relayed message, as far as
// the windows of its receiver allow. The rest, and the end, are pending.
func (x *Session) pass(st *stream, kind adapt.Kind, p []byte) {
	to := x.conns[1-kind]
	h := &st.halves[kind]
	switch {
	case h.refused:
		x.conns[kind].refund(len(p))
		return
	case h.sent:
		return
	}
	waited := len(h.pending) > 0
	if waited {
		h.pending = append(h.pending, p...)
		p = h.pending
	}
	if p = x.pour(st, kind, p); h.sent {
		return
	}
	switch {
	case len(p) == 0:
		h.pending = nil
		if waited {
			to.cond.Broadcast()
		}
	case waited:
		h.pending = h.pending[:copy(h.pending, p)]
	default:
		h.pending = append(h.pending, p...)
	}
	if (waited || len(p) > 0) && !x.keep(st, x.conns[kind]) {
		return
	}
	if len(p) == 0 && h.ended {
		x.end(st, kind)
	}
}

// pour writes as much of p as the windows of its receiver allow, with the end if
// nothing stands behind p, and returns the rest.
func (x *Session) pour(st *stream, kind adapt.Kind, p []byte) (rest []byte) {
	to := x.conns[1-kind]
	h := &st.halves[kind]
	for len(p) > 0 && h.window > 0 && to.send > 0 && !to.behind() {
		n := min(int64(len(p)), h.window, to.send, http2.DefaultFrame)
		h.window -= n
		to.send -= n
		last := h.ended && n == int64(len(p)) && h.trailers == nil
		to.data(st.id(to), last, p[:n])
		if p = p[n:]; last {
			h.pending = nil
			to.cond.Broadcast()
			x.finish(st, kind)
		}
	}
	return p
}

// end writes the end of a message behind its content. One that ended with its
// header has it written.
func (x *Session) end(st *stream, kind adapt.Kind) {
	to := x.conns[1-kind]
	h := &st.halves[kind]
	switch {
	case h.bare:
	case h.trailers != nil && !h.own:
		to.headers(st.id(to), h.trailers, true)
	default:
		to.data(st.id(to), true, nil)
	}
	x.finish(st, kind)
}
