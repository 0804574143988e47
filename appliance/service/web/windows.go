package web

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// grant opens the stream's window for what is read from a leg.
func (st *stream) grant(from *frameLeg, n int64) {
	h := &st.halves[from.kind]
	if n <= 0 || h.ended {
		return
	}
	h.recv += n
	if from.behind() {
		h.late += n
		from.late[st] = struct{}{}
		return
	}
	from.writer.WriteWindowUpdate(st.id(from), uint32(n))
	from.kick()
}

// grant opens the connection's window for what is read.
func (l *frameLeg) grant(n int64) {
	if n <= 0 {
		return
	}
	l.recv += n
	if l.behind() {
		l.lateAll += n
		return
	}
	l.writer.WriteWindowUpdate(0, uint32(n))
	l.kick()
}

// announce writes the windows that were opened while the leg was behind: one
// frame for each stream, one for the connection.
func (l *frameLeg) announce() {
	if l.lateAll > 0 {
		l.writer.WriteWindowUpdate(0, uint32(min(l.lateAll, maxWindow)))
		l.lateAll = 0
	}
	for st := range l.late {
		h := &st.halves[l.kind]
		if !h.ended {
			l.writer.WriteWindowUpdate(st.id(l), uint32(min(h.late, maxWindow)))
		}
		h.late = 0
	}
	clear(l.late)
}

// updates takes the WINDOW_UPDATE frames that are at hand, for which the framer
// would allocate. It leaves it those that are not as they should be.
func (f *frames) updates(from, to *frameLeg) error {
	p := from.in.unread()
	if !isUpdate(p) {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.err
	for f.lazy = true; err == nil && isUpdate(p); p = from.in.unread() {
		id, n := binary.BigEndian.Uint32(p[5:])&maxWindow, binary.BigEndian.Uint32(p[9:])&maxWindow
		from.in.consume(updateLength)
		if err = f.windowUpdate(from, to, id, int64(n)); err == nil {
			err = f.healthy(from)
		}
	}
	f.lazy = false
	from.kick()
	to.kick()
	return err
}

// updateLength is the length of a WINDOW_UPDATE frame (RFC 9113, Section 6.9).
const updateLength = 13

// isUpdate tells that p begins with a whole WINDOW_UPDATE frame that opens a window.
func isUpdate(p []byte) bool {
	return len(p) >= updateLength && p[0] == 0 && p[1] == 0 && p[2] == 4 && p[3] == byte(http2.FrameWindowUpdate) &&
		binary.BigEndian.Uint32(p[9:])&maxWindow != 0
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
		st.grant(from, n-paid)
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
		if f.legs[1-kind].behind() {
			return // its writer resumes
		}
		if len(st.halves[kind].pending) > 0 {
			f.pass(st, kind, nil)
		}
	}
}
