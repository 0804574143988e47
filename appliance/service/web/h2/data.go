package h2

import (
	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
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
func (x *Session) data(from, to *conn, frame *http2.DataFrame) error {
	size, p := int(frame.Length), frame.Data()
	if from.recv -= int64(size); from.recv < 0 || !x.known(from, frame.StreamID) {
		return adapt.Refuse(from.kind, adapt.Protocol)
	}
	st := x.find(from, frame.StreamID)
	if st == nil {
		from.refund(size)
		return nil
	}
	h := &st.halves[from.kind]
	h.recv -= int64(size)
	h.got += int64(len(p))
	end := frame.StreamEnded()
	code := http2.ErrCodeNo
	switch {
	case !h.begun:
		code = http2.ErrCodeProtocol
	case h.ended:
		code = http2.ErrCodeStreamClosed
	case h.recv < 0:
		code = http2.ErrCodeFlowControl
	case h.expect >= 0 && (h.got > h.expect || end && h.got != h.expect):
		code = http2.ErrCodeProtocol
	}
	if code != http2.ErrCodeNo {
		from.refund(size)
		x.abandon(st, from, frame.StreamID, code)
		return nil
	}
	h.ended = end
	from.refund(size - len(p)) // padding goes no further
	st.grant(from, int64(size-len(p)))
	if !h.held {
		x.pass(st, from.kind, p)
		return nil
	}
	from.refund(len(p))
	if h.discard {
		st.grant(from, int64(len(p)))
	} else {
		if h.off > 0 && len(h.buf)+len(p) > cap(h.buf) {
			h.buf, h.off = h.buf[:copy(h.buf, h.buf[h.off:])], 0
		}
		h.buf = append(h.buf, p...)
		x.keep(st, from)
	}
	h.cond.Broadcast()
	return nil
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
	pending := len(h.pending) > 0
	if pending {
		h.pending = append(h.pending, p...)
		p = h.pending
	}
	for len(p) > 0 && h.window > 0 && to.send > 0 && !to.behind() {
		n := min(int64(len(p)), h.window, to.send, maxFrame)
		h.window -= n
		to.send -= n
		last := h.ended && n == int64(len(p)) && h.trailers == nil
		to.writer.WriteData(st.id(to), last, p[:n])
		to.kick()
		if p = p[n:]; last {
			h.pending = nil
			to.cond.Broadcast()
			x.finish(st, kind)
			return
		}
	}
	switch {
	case len(p) == 0:
		h.pending = nil
		if pending {
			to.cond.Broadcast()
		}
	case pending:
		h.pending = h.pending[:copy(h.pending, p)]
	default:
		h.pending = append(h.pending, p...)
	}
	if pending || len(p) > 0 {
		if !x.keep(st, x.conns[kind]) {
			return
		}
	}
	if len(h.pending) == 0 && h.ended {
		x.end(st, kind)
	}
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
		to.writer.WriteData(st.id(to), true, nil)
		to.kick()
	}
	x.finish(st, kind)
}
