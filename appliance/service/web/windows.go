package web

import "golang.org/x/net/http2"

// grant opens the stream's window for what is read.
func (h *half) grant(from *frameLeg, id uint32, n int64) {
	if n <= 0 || h.ended {
		return
	}
	h.recv += n
	from.writer.WriteWindowUpdate(id, uint32(n))
	from.kick()
}

// windowUpdate takes more window, for what is written to the leg that it comes
// from, and passes it on.
func (f *frames) windowUpdate(from, to *frameLeg, id uint32, n int64) error {
	if id == 0 {
		if from.send += n; from.send > maxWindow {
			return &Refusal{from.kind, protocol}
		}
		paid := min(from.debt, n)
		from.debt -= paid
		to.grant(n - paid)
		f.hurry(to.kind)
		f.resume(to.kind)
		return nil
	}
	if !f.known(from, id) {
		return &Refusal{from.kind, protocol}
	}
	if st := f.find(from, id); st != nil {
		if !f.widen(st, to, n) {
			f.abandon(st, from, id, http2.ErrCodeFlowControl)
		}
	}
	return nil
}

// widen changes by n the window of what goes from a leg on a stream.
func (f *frames) widen(st *stream, from *frameLeg, n int64) bool {
	h := &st.halves[from.kind]
	if h.window += n; h.window > maxWindow {
		return false
	}
	if h.begun && !h.held {
		paid := min(h.debt, n)
		h.debt -= paid
		h.grant(from, st.id(from), n-paid)
		f.pass(st, from.kind, nil)
	}
	h.more.Signal()
	return true
}

// initialWindow obeys what a leg says of windows of new streams; it changes those
// of old ones as well (RFC 9113, Section 6.9.2).
func (f *frames) initialWindow(from, to *frameLeg, n int64) bool {
	change := n - from.initial
	from.initial = n
	for _, st := range f.byClient {
		if !f.widen(st, to, change) {
			return false
		}
	}
	return true
}

// hurry wakes all that send messages of a kind for services.
func (f *frames) hurry(kind Kind) {
	for _, st := range f.byClient {
		st.halves[kind].more.Signal()
	}
}

// pending reports whether octets of relayed messages of a kind wait for window.
func (f *frames) pending(kind Kind) bool {
	for _, st := range f.byClient {
		if len(st.halves[kind].pending) > 0 {
			return true
		}
	}
	return false
}

// resume goes on with relayed messages of a kind whose octets are pending.
func (f *frames) resume(kind Kind) {
	for _, st := range f.byClient {
		if len(st.halves[kind].pending) > 0 {
			f.pass(st, kind, nil)
		}
	}
}
